"""The same batch and seed give the same training on 1 device and on 8, however they share it."""

import json
import os
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxgen.devices.choose import make_plan
from jaxgen.devices.sharding import check_batch, count_split, parse_mesh, specs
from jaxgen.errors import UserError
from jaxgen.models.gpt.config import GPTConfig

MODEL_AXES = GPTConfig().model_axes

# A process of its own, since the number of CPU devices is fixed when jax starts. Every family, noise and
# dropout on, under every kind of plan; the losses of each step and the parameters at the end are
# compared with those of one device.
COMPARISON = """
import json, sys
from dataclasses import replace
import jax, numpy as np
from jaxgen import runner
from jaxgen.experiments.registry import find_preset
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.metrics import to_floats

STEPS = 3
GPT_PYTHON, VAE_DIGITS, GAN_DIGITS = (
    find_preset(name).experiment for name in ("gpt-python", "vae-digits", "gan-digits")
)
compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compilations.append(name) if "backend_compile" in name else None
)
EXPERIMENTS = {
    "vae": replace(VAE_DIGITS, batch_size=24, binarise="draw", model=MLPVAEConfig((8,), 4)),
    "gan": replace(GAN_DIGITS, batch_size=24, model=MLPGANConfig(6, (8,), (16,), 0.3), ema_decay=0.9),
    "gpt": replace(
        GPT_PYTHON, batch_size=24, seq_len=8,
        model=GPTConfig(1, 2, 16, 8, 8, dropout=0.2, remat=True),
    ),
    "gpt bfloat16": replace(
        GPT_PYTHON, batch_size=24, seq_len=8, model=GPTConfig(1, 2, 16, 8, 8, compute_dtype="bfloat16"),
    ),
}
ALL = "data=2,fsdp=2,model=2"
PLANS = {  # every axis alone with the cheapest family, then what another could break
    "vae": ("pmap", "data=8", "fsdp=8", "data=4,model=2", ALL),
    "gan": ("pmap", "fsdp=8"),
    "gpt": ("pmap", ALL),
    "gpt bfloat16": (ALL,),
}

def trained(experiment, devices):
    data = experiment.load()
    task, order, plan, state, _ = runner.prepare(experiment, data, runner.Devices(*devices))
    dispatch = plan.dispatch(task.step, data.train.take, 2, state)
    arrays, losses = plan.put_arrays(data.train.arrays), []
    for step in range(STEPS):
        state, report = dispatch(
            state, arrays, plan.place(order.indices_for(step, 2)), np.int32(1)
        )
        losses.append(to_floats(report.metrics))
        if step == 0:
            first = len(compilations)
    again = len(compilations) - first
    leaf = jax.tree.leaves(state.params)[0]
    params = [np.asarray(leaf) for leaf in jax.tree.leaves((state.params, state.ema))]
    return losses, params, len(leaf.sharding.device_set), again

found = {}
for name, experiment in EXPERIMENTS.items():
    if name not in sys.argv[1:]:
        continue
    losses, params, _, _ = trained(experiment, ("jit", None))
    for plan in PLANS[name]:
        devices = ("pmap", None) if plan == "pmap" else ("mesh", plan)
        its_losses, its_params, used, again = trained(replace(experiment, accumulate=3), devices)
        found[f"{name} {plan}"] = {
            "devices": used, "again": again,
            "loss": max(
                abs(a[m] - b[m]) / max(1, abs(a[m])) for a, b in zip(losses, its_losses) for m in a
            ),
            "params": max(float(np.abs(a - b).max()) for a, b in zip(params, its_params)),
        }
assert compilations
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "families",
    [
        ["vae"],
        pytest.param(["gan"], marks=pytest.mark.first),
        pytest.param(["gpt", "gpt bfloat16"], marks=pytest.mark.first),
    ],
)
def test_one_device_and_eight_train_alike(families):
    """Pieces of a third of the batch on top, which one device does not take."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON, *families],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == {"vae": 5, "gan": 2, "gpt": 3}[families[0]]
    for name, one in found.items():
        assert one["devices"] == 8, name
        assert one["again"] == 0, f"{name} compiled {one['again']} programs after its first step"
        # Float32 sums in another order. In bfloat16 each piece's gradient is rounded, at 2^-9, before
        # the pieces are added in float32: another cut, other roundings.
        narrow = "bfloat16" in name
        assert one["loss"] < (2.0**-7 if narrow else 1e-5), (name, one)
        # Adam's first steps are the rate times nearly a sign: where a gradient is near zero, its
        # rounding moves a step of 1e-3 (gpt: 3e-5, 100 steps of warm-up) by a part of itself.
        assert one["params"] < (3e-4 if narrow else 1e-4), (name, one)
    print(json.dumps(found, indent=1))


@pytest.mark.usefixtures("optimised")
def test_what_is_made_by_a_program_compiled_in_haste_has_the_same_bits():
    """Without any of LLVM's optimisation a product and a sum would not be fused."""
    draw = nn.initializers.lecun_normal()

    def init(key):
        return {"kernel": draw(key, (3, 3, 8, 8)), "noise": jax.random.normal(key, (7,))}

    made = make_plan("jit", None, batch_size=4).init(init, 3)
    usual = jax.jit(init)(jax.random.key(3, impl="threefry2x32"))
    jax.tree.map(np.testing.assert_array_equal, made, usual)


def test_rules_by_name():
    """Heads and hidden features over model, the longest other axis over fsdp; the rest stays whole."""
    shapes = {
        "attention": {
            "query": {"kernel": np.zeros((6, 4, 2))},
            "out": {"kernel": np.zeros((4, 2, 6))},
        },
        "mlp": {"in": {"kernel": np.zeros((6, 8)), "bias": np.zeros(8)}},
        "scale": np.zeros(5),
    }
    # A moment lies as its parameter does.
    state = {"params": shapes, "mu": shapes, "step": np.zeros(())}
    found = specs(state, {"data": 2, "fsdp": 2, "model": 4}, MODEL_AXES)
    for of_state in (found["params"], found["mu"]):
        assert of_state["attention"]["query"]["kernel"] == P("fsdp", "model", None)
        assert of_state["attention"]["out"]["kernel"] == P("model", None, "fsdp")
        assert of_state["mlp"]["in"] == {"kernel": P("fsdp", "model"), "bias": P("model")}
        assert of_state["scale"] == P(None)
    assert found["step"] == P()
    assert count_split(found["params"]) == {"data": 0, "fsdp": 3, "model": 4}


def test_every_rule_of_the_gpt_has_a_parameter():
    model = GPTConfig(1, 2, 8, 12, 8).make(11)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8), jnp.int32))["params"]
    split = specs(params, {"data": 1, "fsdp": 1, "model": 2}, MODEL_AXES)
    # query, key, value with biases, out; in with bias, out
    assert count_split(split)["model"] == 6 + 1 + 2 + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_mesh("data=2,heads=2"), "'heads=2' is no axis with its size; write for example"),
        (lambda: parse_mesh("data=0"), "'data=0' is no axis"),
        (lambda: check_batch(12, 8, 1), "--batch-size 12 is not a multiple of 8 devices: give a mult"),
        (lambda: check_batch(16, 8, 3), "of 8 devices times --accumulate 3: give a multiple of 24"),
        (lambda: make_plan("mesh", "data=2", batch_size=8), "of 2 devices, but there are 1: choose"),
        (lambda: make_plan("pmap", "data=1", batch_size=8), "belongs to --parallel mesh, not pmap"),
        (
            lambda: specs({"mlp": {"in": {"bias": np.zeros(8)}}}, {"model": 3, "fsdp": 1}, MODEL_AXES),
            r"model=3 does not divide axis 0 of mlp/in/bias, \(8,\): choose a number of heads",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(call, message):
    with pytest.raises(UserError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


SHARE = """
from dataclasses import replace
import jax
from jaxgen import runner
from jaxgen.experiments.registry import find_preset
from jaxgen.devices.choose import make_plan

experiment = replace(find_preset("gan-digits").experiment, batch_size=64)
data = experiment.load()
task, _, _, state, _ = runner.prepare(experiment, data)
for count in (1, 8):
    plan = make_plan("mesh", None, devices=jax.devices()[:count], batch_size=64)
    arrays = jax.eval_shape(data.train.take, data.train.arrays, jax.numpy.arange(64))
    program, *shapes = plan.single(task.step, state, arrays)
    print(program.lower(*shapes).compile().cost_analysis()["flops"])
"""


def test_a_generator_that_reads_no_data_is_split_as_the_batch_is():
    """Of both players' updates a device computes its share, and the optimiser's work for all."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    command = [sys.executable, "-c", SHARE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    whole, share = map(float, done.stdout.split())
    assert share < whole / 5  # 1/8 but for the update; half of the step on every device is 1/2
