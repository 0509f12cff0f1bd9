"""A batch that may lie in pieces: on several devices, or taken one after the other.

Every example draws its noise from a key of its own, made from its place in the whole batch, and a
statistic over the batch is taken over all of its pieces. So the same batch gives the same losses,
gradients and statistics, up to the order of float32 sums, however it is cut.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Sharding
from jaxtyping import Array, Float, PyTree

from jaxgen.training.state import Batch

DEVICES, PIECES = "batch", "pieces"
"""The mapped axes over which a batch may be cut: devices under pmap, pieces of an accumulated step."""

Axis = str | Sharding | None
"""Of a batch in pieces on several devices: the mapped axis of which each holds one piece, in order; or
how arrays (B, ...) that are whole to the program are split."""


def batch_size(batch: Batch) -> int:
    """B, the length of every array of a batch."""
    return jax.tree.leaves(batch)[0].shape[0]


def example_keys(key, batch: Batch, axis: Axis = None):
    """(B,) keys, fold_in(key, i) for the example at place i of the whole batch."""
    size = batch_size(batch)
    places = jnp.arange(size)
    if isinstance(axis, str):
        places = places + lax.axis_index(axis) * size
    elif axis is not None:  # or the compiler may draw, and compute, all examples on every device
        places = lax.with_sharding_constraint(places, axis)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, places)


def split_each(keys, count: int) -> list:
    """`count` arrays of keys (B,), all different, from keys (B,)."""
    parts = jax.vmap(lambda key: jax.random.split(key, count))(keys)
    return [parts[:, i] for i in range(count)]


def every(count: int, offset: Any) -> Callable:
    """`take(leaf)`: of an array (B, ...) the B / count examples at the places offset + count·i.

    Strided, not in blocks: then each device of a sharded batch keeps its own examples.
    """

    def take(leaf):
        pieces = leaf.reshape(leaf.shape[0] // count, count, *leaf.shape[1:])
        return lax.dynamic_index_in_dim(pieces, offset, axis=1, keepdims=False)

    return take


def mean_over_batch(values: Float[Array, "B ..."]) -> Float[Array, "..."]:
    """The mean over the examples of the whole batch, those of its other pieces included.

    Differentiable. To be called inside of a loss.
    """
    mean = jnp.mean(values, axis=0)
    cut = _cut()
    return lax.pmean(mean, cut) if cut else mean


def sum_over_batch(values: Array) -> Array:
    """The sum over the examples of the whole batch, e.g. counts of codes."""
    total = jnp.sum(values, axis=0)
    cut = _cut()
    return lax.psum(total, cut) if cut else total


def own_examples(tree: PyTree, size: int) -> PyTree:
    """Of arrays (whole B, ...) the rows of the piece at hand, which has `size` examples.

    For what a step carries for each example, such as a recurrent state: a State's `extra` is whole on
    every device.
    """
    return jax.tree.map(lambda leaf: jnp.take(leaf, _places(size), axis=0), tree)


def all_examples(tree: PyTree) -> PyTree:
    """The inverse of `own_examples`: the rows of all pieces, in their places, the same in each piece."""

    def gather(leaf):
        size = leaf.shape[0]
        total = size * _pieces(_cut())
        whole = jnp.zeros((total, *leaf.shape[1:]), leaf.dtype).at[_places(size)].set(leaf)
        return lax.psum(whole, _cut()) if _cut() else whole

    return jax.tree.map(gather, tree)


def _cut() -> tuple[str, ...]:
    """The axes over which the batch is cut where this is traced."""
    return tuple(name for name in (DEVICES, PIECES) if _is_mapped(name))


def _is_mapped(name: str) -> bool:
    try:
        lax.axis_size(name)
    except NameError:
        return False
    return True


def _pieces(cut: tuple[str, ...]) -> int:
    count = 1
    for name in cut:
        count *= lax.axis_size(name)
    return count


def _places(size: int) -> Array:
    """Where the examples of this piece stand in the whole batch: devices in blocks, pieces strided."""
    places = jnp.arange(size)
    if _is_mapped(PIECES):
        places = places * lax.axis_size(PIECES) + lax.axis_index(PIECES)
        size *= lax.axis_size(PIECES)
    if _is_mapped(DEVICES):
        places = places + lax.axis_index(DEVICES) * size
    return places
