"""The gradient of a mean loss over a batch, however the batch is cut: in time, over devices, or not.

See `jaxgen.training.batch` for why the result is the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, PyTree

from jaxgen.training.batch import PIECES, Axis, every
from jaxgen.training.metrics import Metrics
from jaxgen.training.state import Batch


class Aux(NamedTuple):
    """What a loss returns beside its value: metrics, and the next step's `extra` (see `Weights`).

    `weight` is what the loss, a weighted mean over its piece of the batch, counts for in that over the
    whole batch: the sum of its weights, Σ w. None: every piece counts alike, since all are as large.
    """

    metrics: Metrics
    extra: PyTree = None
    weight: Array | None = None


def gradient(
    loss: Callable,
    params: PyTree,
    extra: PyTree,
    batch: Batch,
    keys: Any,
    *,
    accumulate: int = 1,
    axis: Axis = None,
) -> tuple[PyTree, Aux]:
    """d loss / d params over the whole batch, with its metrics and the extra that it leaves.

    `loss(params, extra, batch, keys) -> (mean over the batch, Aux(metrics, extra))`. With accumulate N
    the batch is taken in N equal pieces, one after the other, so that only one piece's activations are
    in memory; over a mapped axis gradients are averaged and metrics added. A loss that has an `extra`
    takes all pieces side by side, since their statistics are of the whole batch: that is the same
    mathematics, and saves no memory. Where pieces have weights, the mean of L_i is Σ W_i L_i / Σ W_i.
    """
    of_piece = _weighted(jax.grad(loss, has_aux=True))
    if accumulate == 1:
        grads, aux = of_piece(params, extra, batch, keys)
    elif jax.tree.leaves(extra):
        grads, aux = _side_by_side(of_piece, params, extra, batch, keys, accumulate)
    else:
        grads, metrics, weight = _one_by_one(of_piece, params, extra, batch, keys, accumulate)
        aux = Aux(metrics, extra, weight)
    if isinstance(axis, str):
        grads, aux = lax.pmean(grads, axis), aux._replace(metrics=lax.psum(aux.metrics, axis))
        if aux.weight is not None:
            aux = aux._replace(weight=lax.pmean(aux.weight, axis))
    if aux.weight is not None:
        grads = jax.tree.map(lambda leaf: leaf / aux.weight, grads)
    return grads, aux


def _weighted(of_piece: Callable) -> Callable:
    """The gradient of W_i L_i, where a loss says what its piece counts for."""

    def weighted(params, extra, batch, keys):
        grads, aux = of_piece(params, extra, batch, keys)
        if aux.weight is not None:
            grads = jax.tree.map(lambda leaf: aux.weight * leaf, grads)
        return grads, aux

    return weighted


def _one_by_one(of_piece: Callable, params, extra, batch: Batch, keys, count: int):
    """The mean of the pieces' gradients, the sum of their metrics, the mean of their weights."""

    def piece(i):
        take = every(count, i)
        grads, aux = of_piece(params, extra, jax.tree.map(take, batch), take(keys))
        return grads, aux.metrics, aux.weight

    def add(total, i):
        return jax.tree.map(jnp.add, total, piece(i)), None

    shapes = jax.eval_shape(piece, 0)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (grads, metrics, weight), _ = lax.scan(add, zeros, jnp.arange(count))
    grads, weight = jax.tree.map(lambda leaf: leaf / count, (grads, weight))
    return grads, metrics, weight


def _side_by_side(of_piece: Callable, params, extra, batch: Batch, keys, count: int):
    """The same where pieces have to know of each other; all must leave the same extra."""

    def piece(i):
        take = every(count, i)
        grads, aux = of_piece(params, extra, jax.tree.map(take, batch), take(keys))
        weight = None if aux.weight is None else lax.pmean(aux.weight, PIECES)
        return lax.pmean(grads, PIECES), Aux(lax.psum(aux.metrics, PIECES), aux.extra, weight)

    # No out axis: jax refuses an extra that is not the same in every piece.
    return jax.vmap(piece, axis_name=PIECES, out_axes=None)(jnp.arange(count))
