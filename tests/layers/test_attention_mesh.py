"""A hand-written kernel over a mesh: each device computes its own examples and heads.

On eight forced CPU devices the TPU's kernel itself runs, by Pallas' interpreter, inside a whole training
step; and the TPU's compiler compiles such a step for chips that are not there.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.measure.timing import compiling_anew
from jaxgen.layers.attention_form import attend

# A process of its own, since the number of CPU devices is fixed when jax starts. The branch for a TPU is
# taken, as on one; the kernel is run by the interpreter that makes XLA operations of it.
COMPARISON = """
import functools, json, sys
from dataclasses import replace
import jax, numpy as np
from jax import lax
from jax.experimental import pallas
from jaxgen.devices.choose import make_plan
from jaxgen.families.language.objective import make_language_loss
from jaxgen.layers import attention_form
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.metrics import to_floats
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights
from jaxgen.training.task import one_player

pallas.pallas_call = functools.partial(pallas.pallas_call, interpret=True)
kernels = []
over_mesh = attention_form.over_mesh

def noted(attend, *sizes):
    split = over_mesh(attend, *sizes)
    kernels.append(split is not attend)
    return split

attention_form.over_mesh = noted
lax.platform_dependent = lambda *arrays, tpu, default, **_: tpu(*arrays)
SIZES = dict(num_layers=1, num_heads=2, model_size=16, hidden_size=8, max_seq_len=128)
B, T, V = 8, 128, 5
tokens = np.random.default_rng(0).integers(0, V, (B, T + 1)).astype(np.int32)
arrays = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:]}

def trained(form, kind, mesh=None, accumulate=1):
    config = GPTConfig(**SIZES, attention=form)
    model = config.make(V)
    init = lambda key: Weights(model.init(key, np.zeros((1, T), np.int32))["params"])
    task = one_player(
        init, make_language_loss(model), make_optimizer(OptimizerConfig(warmup_steps=0)),
        accumulate=accumulate, evaluate=dict, sample=list, model_axes=config.model_axes,
    )
    plan = make_plan(
        kind, mesh, batch_size=B, accumulate=accumulate, model_axes=config.model_axes,
        devices=jax.devices()[:1] if kind == "jit" else None,
    )
    state = plan.init(task.init, 0)
    dispatch = plan.dispatch(task.step, lambda a, i: {n: v[i] for n, v in a.items()}, 1, state)
    losses = []
    for _ in range(2):
        indices = plan.place(np.arange(B)[None].astype(np.int32))
        state, report = dispatch(state, plan.put_arrays(arrays), indices, np.int32(1))
        losses += list(to_floats(report.metrics).values())
    return losses, [np.asarray(leaf) for leaf in jax.tree.leaves(plan.local(state.params))]

expected, params = trained("literal", "jit")
found = {}
for name, form, plan in [
    ("pmap", "auto", ("pmap",)),
    ("data=8", "auto", ("mesh", "data=8")),
    ("data=2,fsdp=2,model=2", "fused", ("mesh", "data=2,fsdp=2,model=2", 2)),
]:
    kernels.clear()
    losses, others = trained(form, *plan)
    found[name] = {
        "split": sorted(set(kernels)),
        "loss": max(abs(a - b) / abs(a) for a, b in zip(expected, losses)),
        "params": max(float(np.abs(a - b).max()) for a, b in zip(params, others)),
    }
print(json.dumps(found))
"""


def test_the_kernel_on_eight_devices_trains_like_the_equation_on_one():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name, one in found.items():
        # Under pmap each device has its own part of the batch already.
        assert (True in one["split"]) == ("=" in name), (name, one)
        # Float32 sums in another order; Adam's first steps are nearly signs, of 3e-4 times so much.
        assert one["loss"] < 1e-5 and one["params"] < 1e-4, (name, one)


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="no TPU compiler")
@pytest.mark.parametrize("form", ["auto", "fused"])
def test_a_step_over_a_mesh_compiles_for_a_tpu(monkeypatch, form):
    """On this machine there is none: the choice falls for the platform that is compiled for."""
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    from jax.experimental import topologies

    chips = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2").devices
    mesh = jax.make_mesh(
        (2, 1, 2), ("data", "fsdp", "model"), devices=list(chips), axis_types=(AxisType.Auto,) * 3
    )
    place = NamedSharding(mesh, PartitionSpec(("data", "fsdp"), "model"))
    x = jax.ShapeDtypeStruct((4, 2, 256, 64), jnp.bfloat16, sharding=place)

    def gradients(*arrays, inside):
        def loss(*arrays):
            return jnp.square(attend(*arrays, causal=True, form=form).astype(jnp.float32)).sum()

        if not inside:
            return jax.grad(loss, (0, 1, 2))(*arrays)
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            # As in a dispatch and with recomputation: in a loop, under a checkpoint.
            again = jax.grad(jax.checkpoint(loss), (0, 1, 2))
            return lax.fori_loop(0, 3, lambda _, arrays: again(*arrays), arrays)

    lowered = jax.jit(functools.partial(gradients, inside=True), out_shardings=place).lower(x, x, x)
    # The forward pass, which only the backward pass asks for here, and that by queries and by keys and
    # values.
    assert lowered.as_text().count("tpu_custom_call") == 3
    with compiling_anew():  # what the cache holds of absent chips cannot be read
        text = lowered.compile().as_text()
    assert "bf16[2,1,256,64]" in text  # a chip's two examples and one head
    assert not [name for name in ("all-gather", "all-reduce", "all-to-all") if name in text]
    with pytest.raises(NotImplementedError, match="Mosaic kernels cannot be automatically"):
        jax.jit(functools.partial(gradients, inside=False)).lower(x, x, x)
