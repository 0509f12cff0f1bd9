"""A DCGAN with its statistics, norms and noise on one device and on eight: all the same."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxgen.data import ImageSpec
from jaxgen.devices.choose import make_plan
from jaxgen.families.gan.family import GAN
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.training.metrics import to_floats

B, SHAPE = 16, (4, 4, 1)
TASK_OF = {
    "batch norm, told the class": GAN(
        batch_size=B, model=DCGANConfig(3, (2, 3), labels="projection", label_size=2), noise_start=0.3,
        ema_decay=0.9,
    ),
    "spectral norm, packs": GAN(
        batch_size=B, model=DCGANConfig(3, (2, 3), discriminator_norm="none"), spectral_norm=True,
        loss="hinge", pack=2, augment=("translation", "cutout"),
    ),
}  # fmt: skip
ARRAYS = {
    "image": np.random.default_rng(0).random((B, *SHAPE), np.float32),
    "label": np.arange(B, dtype=np.int32) % 5,
}


def take(arrays, indices):
    return {name: array[indices] for name, array in arrays.items()}


def train(name, parallel):
    """Two steps: metrics, and all numbers that are left."""
    task = TASK_OF[name].build(ImageSpec(*SHAPE, 5))
    plan = make_plan(parallel, None, batch_size=B)
    state = plan.init(task.init, 0)
    dispatch = plan.dispatch(task.step, take, 1, state)
    arrays, metrics = plan.put_arrays(ARRAYS), []
    rows = np.arange(B, dtype=np.int32)[None]
    for _ in range(2):
        state, report = dispatch(state, arrays, plan.place(rows), np.int32(1))
        metrics.append(to_floats(report.metrics))
    devices = len(jax.tree.leaves(state.params)[0].sharding.device_set)
    numbers = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), (state.params, state.extra))
    return {"devices": devices, "metrics": metrics, "numbers": numbers}


@pytest.fixture(scope="module")
def trained():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.first
@pytest.mark.parametrize("name", TASK_OF)
def test_eight_devices_leave_what_one_leaves(trained, name):
    one, eight = trained[f"{name} jit"], trained[f"{name} pmap"]
    assert (one["devices"], eight["devices"]) == (1, 8)
    for found, expected in zip(eight["metrics"], one["metrics"], strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    jax.tree.map(
        # Adam's first steps are the gradient's sign: where that is nearly 0 it may turn, by 2e-4.
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=5e-4),
        eight["numbers"], one["numbers"],
    )  # fmt: skip


if __name__ == "__main__":  # the process with eight devices, which are fixed when jax starts
    cases = {f"{name} {how}": train(name, how) for name in TASK_OF for how in ("jit", "pmap")}
    print(json.dumps(cases))
