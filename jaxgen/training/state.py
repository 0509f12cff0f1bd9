"""Everything that a step changes, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

Batch = dict[str, Array]


class State(NamedTuple):
    """A run between two steps; a GAN's params and opt_state are dicts that hold both players."""

    step: Int[Array, ""]
    params: PyTree
    opt_state: PyTree
    key: Any  # a typed PRNG key; step t uses fold_in(key, t)


def init_state(params: PyTree, opt_state: PyTree, key) -> State:
    """The state before the first step."""
    return State(jnp.zeros((), jnp.int32), params, opt_state, key)


def num_params(params: PyTree) -> int:
    """How many numbers the parameters hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
