"""From the pure step to the program that the device runs; the one file that knows devices."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.training.state import State
from jaxgen.training.step import Step


def make_dispatch(step: Step, take: Callable, steps_per_dispatch: int) -> Callable:
    """`dispatch(state, arrays, indices, count) -> (state, metrics of the last step)`, jitted.

    Runs `count` steps, at most steps_per_dispatch, of which step i trains on
    `take(arrays, indices[i])`; indices (steps_per_dispatch, B). The state is donated. The count is an
    argument rather than a constant, so one program serves every dispatch and a resumed run executes
    the same instructions as an uninterrupted one. A single step a dispatch needs no loop (XLA's CPU
    convolutions are several times slower inside one).
    """

    def dispatch(state: State, arrays: dict, indices, count):
        if steps_per_dispatch == 1:
            return step(state, take(arrays, indices[0]))

        def body(i, carry):
            return step(carry[0], take(arrays, indices[i]))

        shapes = jax.eval_shape(step, state, take(arrays, indices[0]))[1]
        metrics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return lax.fori_loop(0, count, body, (state, metrics))

    return jax.jit(dispatch, donate_argnums=0)


def put_arrays(arrays: dict) -> dict:
    """Place a data set's arrays on the device."""
    return jax.device_put(arrays)
