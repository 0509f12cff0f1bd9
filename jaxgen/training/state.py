"""Everything that a step changes, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

Batch = dict[str, Array]


class Weights(NamedTuple):
    """What a trained model is: what was learnt by gradients, and what a step changes without one.

    `extra` holds batch statistics, a codebook, power vectors, a recurrent carry; None where a model
    has nothing of the kind.
    """

    params: PyTree
    extra: PyTree = None


class State(NamedTuple):
    """A run between two steps; a GAN's params and opt_state are dicts that hold both players.

    The step is the position in the data too: the order of examples is a function of it.
    """

    step: Int[Array, ""]
    params: PyTree
    opt_state: PyTree
    key: Any  # a typed PRNG key; step t uses fold_in(key, t)
    skipped: Int[Array, ""]  # steps in a row, the last one included, whose update was not finite
    ema: PyTree = None  # exponential moving average of the parameters; None where none is kept
    extra: PyTree = None  # see `Weights`; the same on every device

    @property
    def weights(self) -> Weights:
        """The model to judge and to sample with: with averaged parameters where they are kept."""
        return Weights(self.params if self.ema is None else self.ema, self.extra)


def init_state(weights: Weights, opt_state: PyTree, key, *, ema: bool = False) -> State:
    """The state before the first step; the average, if one is kept, starts at the parameters."""
    step, skipped = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)  # no two share a buffer
    average = jax.tree.map(jnp.copy, weights.params) if ema else None
    return State(step, weights.params, opt_state, key, skipped, average, weights.extra)


def advance(state: State, weights: Weights, opt_state: PyTree, finite, ema_decay: float) -> State:
    """The state after a step that proposes these; where it is not finite, all but the count stays.

    ema = ema_decay ema + (1 - ema_decay) params, where an average is kept.
    """
    ema = state.ema
    if ema is not None:
        ema = jax.tree.map(lambda a, p: ema_decay * a + (1 - ema_decay) * p, ema, weights.params)
    proposed = (weights.params, opt_state, ema, weights.extra)
    current = (state.params, state.opt_state, state.ema, state.extra)
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), proposed, current)
    params, opt_state, ema, extra = kept
    skipped = jnp.where(finite, 0, state.skipped + 1)
    return State(state.step + 1, params, opt_state, state.key, skipped, ema, extra)


def num_params(params: PyTree) -> int:
    """How many numbers the parameters hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
