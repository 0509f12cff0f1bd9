"""What a state needs of each device, counted by hand from shapes alone; nothing of it is made."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgen.devices.choose import make_plan
from jaxgen.devices.memory import explained_memory, state_bytes
from jaxgen.devices.plan import Plan
from jaxgen.errors import UserError
from jaxgen.training.state import Weights
from jaxgen.training.task import one_player


def task(ema_decay=0.9):
    """A kernel of 6·4 and a bias of 3 numbers of four bytes; 8 codes of two, carried."""

    def init(key):
        params = {"kernel": jnp.zeros((6, 4)), "bias": jnp.zeros(3)}
        return Weights(params, {"codes": jnp.zeros(8, jnp.bfloat16)})

    def loss(params, extra, batch, keys):
        raise AssertionError("shapes alone")

    return one_player(init, loss, optax.adam(0.1), ema_decay=ema_decay)


def bytes_by_plan():
    """For a process that has two devices."""
    plans = {
        "jit": ("jit", None),
        "pmap": ("pmap", None),
        "data=2": ("mesh", "data=2"),
        "fsdp=2": ("mesh", "fsdp=2"),
    }
    return {
        name: state_bytes(make_plan(*asked, batch_size=2).shapes(task().init))
        for name, asked in plans.items()
    }


@pytest.fixture(scope="module")
def found():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("plan", ["jit", "pmap", "data=2"])
def test_a_whole_state_on_each_device(found, plan):
    """P = (24 + 3)·4 bytes; Adam has two of them and a count of its steps."""
    P = (24 + 3) * 4
    assert found[plan] == {
        "parameters": P, "gradients": P, "optimiser": 2 * P + 4, "average": P, "extra": 8 * 2,
    }  # fmt: skip


def test_over_fsdp_a_device_has_half_of_what_two_divides(found):
    """Half of the kernel and of the codes; the bias of three stays whole, and so does the count."""
    P = (24 // 2 + 3) * 4
    assert found["fsdp=2"] == {
        "parameters": P, "gradients": P, "optimiser": 2 * P + 4, "average": P, "extra": 8 // 2 * 2,
    }  # fmt: skip


def test_what_there_is_not_is_not_listed():
    plan = make_plan("jit", None, batch_size=1)
    listed = state_bytes(plan.shapes(task(ema_decay=None).init))
    assert list(listed) == ["parameters", "gradients", "optimiser", "extra"]


def test_a_state_that_cannot_fit_is_refused_with_what_it_needs(monkeypatch):
    """108 + 108 + 220 + 108 + 16 = 560 bytes."""
    plan = make_plan("jit", None, batch_size=1)
    shapes = plan.shapes(task().init)
    for memory in (None, 560):  # where nothing is known, or there is just enough, one goes on
        monkeypatch.setattr(Plan, "memory_bytes", memory)
        with explained_memory(shapes, plan):
            pass
    monkeypatch.setattr(Plan, "memory_bytes", 559)
    with pytest.raises(UserError) as error, explained_memory(shapes, plan, "set --x, "):
        pytest.fail("nothing may run")
    assert str(error.value) == (
        "Out of memory: a step needs 1.08e-07 GB of parameters, 1.08e-07 GB of gradients, "
        "2.2e-07 GB of optimiser, 1.08e-07 GB of average, 1.6e-08 GB of extra on each device, and its "
        "activations, and there are 5.59e-07 GB: choose a smaller model, lower --batch-size, raise "
        "--accumulate, set --x, or split the state by --mesh fsdp=N."
    )


def test_another_error_of_xla_s_keeps_its_traceback():
    plan = make_plan("jit", None, batch_size=1)
    with (
        pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"),
        explained_memory(plan.shapes(task().init), plan),
    ):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


if __name__ == "__main__":  # the process with two devices, which are fixed when jax starts
    print(json.dumps(bytes_by_plan()))
