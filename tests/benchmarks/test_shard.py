"""A sharded step is the step: two devices give what one gives, with the state whole or spread."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from benchmarks.shard import Shapes, shard
from jaxgen.errors import UserError

# A process of its own, since the number of CPU devices is fixed when jax starts.
COMPARISON = """
from dataclasses import replace
import jax, json
import numpy as np
from benchmarks.shard import shard, step_shapes
from jaxgen import runner
from jaxgen.experiments.vae_digits import VAEDigits
from jaxgen.models.vae_config import VAEConfig

experiment = VAEDigits(batch_size=10, model=VAEConfig(hidden_sizes=(12,), latent_size=4))
data = experiment.load()
task, order, state = runner.prepare(experiment, data)
batch = data.train.take(data.train.arrays, order.indices_for(0, 1)[0])
expected, metrics = jax.jit(task.step)(state, batch)
found = {}
for parallel in ("mesh", "zero"):
    step, state_at, batch_at = shard(step_shapes(experiment, data), jax.devices(), parallel)
    put = lambda tree, at: jax.tree.map(lambda leaf, a: jax.device_put(leaf, a.sharding), tree, at)
    own = jax.tree.map(lambda leaf: leaf.copy(), state)  # the step uses its state up
    after, sharded = step(put(own, state_at), put(batch, batch_at))
    pairs = zip(jax.tree.leaves(expected.params), jax.tree.leaves(after.params), strict=True)
    whole = [leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(after.params)]
    found[parallel] = {
        "devices": len(jax.tree.leaves(after.params)[0].sharding.device_set),
        "whole": all(whole),
        "difference": max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs),
        "loss": [float(m["loss"].total / m["loss"].count) for m in (metrics, sharded)],
    }
print(json.dumps(found))
"""


def test_two_devices_take_the_step_that_one_takes():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON], capture_output=True, text=True, check=True,
        env=environment, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    for parallel, whole in (("mesh", True), ("zero", False)):
        one = found[parallel]
        assert (one["devices"], one["whole"]) == (2, whole)
        assert one["loss"][0] == pytest.approx(one["loss"][1], rel=1e-6)
        # Adam's first step is the learning rate times a sign, 1e-3: sums in another order move a
        # gradient near zero, and with it the step, by a little of that.
        assert one["difference"] < 1e-5


def test_devices_that_do_not_divide_the_batch_are_refused():
    batch = jax.ShapeDtypeStruct((7, 3), jnp.float32)
    with pytest.raises(
        UserError, match="2 devices do not divide a batch of 7: give a --batch-size"
    ):
        shard(Shapes(lambda s, b: (s, b), batch, batch), [object(), object()], "mesh")
