"""The clock's arithmetic, with a clock whose ticks are known."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.devices import timing
from jaxgen.devices.strategies import OneDevice
from jaxgen.training.metrics import Mean
from jaxgen.training.state import Weights, init_state
from jaxgen.training.task import Task


@pytest.fixture
def clock(monkeypatch):
    """A clock that only advances where the test says so."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


def test_the_median_leaves_out_the_burn_in_call(clock):
    seconds = iter([1000.0, 5.0, 1.0, 3.0, 70.0, 2.0])

    def call():
        clock.now += next(seconds)
        return jnp.zeros(())

    assert timing.median_seconds(call, repetitions=5) == 3.0


def test_the_rate_of_a_square_matmul_is_two_flops_a_term(monkeypatch):
    """16 FLOPs in one second, 54 in two, 16 in four: the best rate is the second."""
    seconds = iter([1.0, 2.0, 4.0])
    monkeypatch.setattr(timing, "median_seconds", lambda call: next(seconds))
    assert timing.gemm_flops_per_second((2, 3, 2)) == 27.0


def test_a_step_is_its_share_of_the_dispatch_that_trains(clock, monkeypatch):
    """Each call waits for a whole dispatch of five steps: one burn-in and seven that count."""
    real = OneDevice.dispatch
    counts = []

    def make_dispatch(*arguments):
        dispatch = real(*arguments)

        def timed(state, arrays, indices, count):
            counts.append(int(state.step))
            clock.now += 10.0
            return dispatch(state, arrays, indices, count)

        return timed

    monkeypatch.setattr(OneDevice, "dispatch", make_dispatch)

    def step(state, batch):
        return state._replace(step=state.step + 1), {"x": Mean.of(batch["x"])}

    dataset = SimpleNamespace(
        arrays={"x": np.arange(3, dtype=np.float32)},
        take=lambda arrays, indices: {"x": arrays["x"][indices]},
    )
    task = Task(init=list, step=step, evaluate=dict, sample=list)  # only the step is used
    state = init_state(Weights(jnp.zeros(2)), (), jax.random.key(0))

    def order(first, count):
        return np.zeros((count, 2), np.int32) + first

    assert timing.step_seconds(task, state, dataset, order, 5) == 2.0
    assert counts == [0, 5, 10, 15, 20, 25, 30, 35]
