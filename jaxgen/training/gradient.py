"""The gradient of a mean loss over a batch, however the batch is cut: in time, over devices, or not.

Every example draws its noise from a key of its own, made from its place in the whole batch. So the
same batch gives the same losses and gradients, up to the order of float32 sums, whether it is taken
whole, in pieces one after the other, or in pieces on several devices.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Sharding

from jaxgen.training.metrics import Metrics
from jaxgen.training.state import Batch

Axis = str | Sharding | None
"""Of a batch in pieces on several devices: the mapped axis of which each holds one piece, in order; or
how arrays (B, ...) that are whole to the program are split."""


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


def batch_size(batch: Batch) -> int:
    """B, the length of every array of a batch."""
    return jax.tree.leaves(batch)[0].shape[0]


def gradient(
    loss: Callable, params, batch: Batch, keys, *, accumulate: int = 1, axis: Axis = None
) -> tuple[dict, Metrics]:
    """d loss / d params over the whole batch, and the metrics of it.

    `loss(params, batch, keys) -> (mean over the batch, metrics)`. With accumulate N the batch is taken
    in N equal pieces one after the other, so that only one piece's activations are in memory; over a
    mapped axis gradients are averaged and metrics added.
    """
    of_piece = jax.grad(loss, has_aux=True)
    if accumulate == 1:
        grads, metrics = of_piece(params, batch, keys)
    else:
        grads, metrics = _accumulated(of_piece, params, batch, keys, accumulate)
    if isinstance(axis, str):
        grads, metrics = lax.pmean(grads, axis), lax.psum(metrics, axis)
    return grads, metrics


def _accumulated(of_piece: Callable, params, batch: Batch, keys, count: int):
    """The mean of the pieces' gradients and the sum of their metrics.

    Piece i holds the places i, i + count, ...: then each device of a sharded batch keeps its own.
    """

    def piece(i):
        def take(leaf):
            pieces = leaf.reshape(leaf.shape[0] // count, count, *leaf.shape[1:])
            return lax.dynamic_index_in_dim(pieces, i, axis=1, keepdims=False)

        return of_piece(params, jax.tree.map(take, batch), take(keys))

    def add(total, i):
        return jax.tree.map(jnp.add, total, piece(i)), None

    shapes = jax.eval_shape(piece, 0)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (grads, metrics), _ = lax.scan(add, zeros, jnp.arange(count))
    return jax.tree.map(lambda leaf: leaf / count, grads), metrics
