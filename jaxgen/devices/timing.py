"""How long things take on this device: medians over blocked repetitions, compilation apart."""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.devices.choose import make_plan
from jaxgen.training.state import State
from jaxgen.training.task import Task


def blocked_seconds(call: Callable, repetitions: int = 7, burn_in: int = 1) -> list[float]:
    """The times of `call()`, which must return arrays to wait for; after so many burn-in calls."""
    for _ in range(burn_in):
        jax.block_until_ready(call())
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return times


def median_seconds(call: Callable, repetitions: int = 7) -> float:
    """The median of `blocked_seconds`."""
    return statistics.median(blocked_seconds(call, repetitions))


def gemm_flops_per_second(sizes: tuple[int, ...] = (1024, 1536, 2048)) -> float:
    """The best rate of a square float32 matmul over a few sizes, multiply-add as 2 FLOPs."""
    matmul = jax.jit(jnp.matmul)
    rates = []
    for size in sizes:
        operand = jax.random.normal(jax.random.key(0), (size, size))
        seconds = median_seconds(lambda operand=operand: matmul(operand, operand))
        rates.append(2 * size**3 / seconds)
    return max(rates)


def step_seconds(
    task: Task, state: State, dataset, order: Callable, steps_per_dispatch: int
) -> float:
    """The time of one training step in the program that trains; the given state is used up."""
    indices, count = order(0, steps_per_dispatch), np.int32(steps_per_dispatch)
    plan = make_plan("jit", None, batch_size=indices.shape[1])
    dispatch = plan.dispatch(task.step, dataset.take, steps_per_dispatch, state)
    arrays = plan.put_arrays(dataset.arrays)

    def call():
        nonlocal state
        state, report = dispatch(state, arrays, indices, count)
        return report

    return median_seconds(call) / steps_per_dispatch
