"""The gradient of a mean loss over a batch, however the batch is cut: in time, over devices, or not.

See `jaxgen.training.batch` for why the result is the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PyTree

from jaxgen.training.batch import PIECES, Axis, every
from jaxgen.training.metrics import Metrics
from jaxgen.training.state import Batch


class Aux(NamedTuple):
    """What a loss returns beside its value: metrics, and the next step's `extra` (see `Weights`)."""

    metrics: Metrics
    extra: PyTree = None


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
    mathematics, and saves no memory.
    """
    of_piece = jax.grad(loss, has_aux=True)
    if accumulate == 1:
        grads, aux = of_piece(params, extra, batch, keys)
    elif jax.tree.leaves(extra):
        grads, aux = _side_by_side(of_piece, params, extra, batch, keys, accumulate)
    else:
        grads, metrics = _one_by_one(of_piece, params, extra, batch, keys, accumulate)
        aux = Aux(metrics, extra)
    if isinstance(axis, str):
        grads, aux = lax.pmean(grads, axis), aux._replace(metrics=lax.psum(aux.metrics, axis))
    return grads, aux


def _one_by_one(of_piece: Callable, params, extra, batch: Batch, keys, count: int):
    """The mean of the pieces' gradients and the sum of their metrics."""

    def piece(i):
        take = every(count, i)
        grads, aux = of_piece(params, extra, jax.tree.map(take, batch), take(keys))
        return grads, aux.metrics

    def add(total, i):
        return jax.tree.map(jnp.add, total, piece(i)), None

    shapes = jax.eval_shape(piece, 0)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (grads, metrics), _ = lax.scan(add, zeros, jnp.arange(count))
    return jax.tree.map(lambda leaf: leaf / count, grads), metrics


def _side_by_side(of_piece: Callable, params, extra, batch: Batch, keys, count: int):
    """The same where pieces have to know of each other; all must leave the same extra."""

    def piece(i):
        take = every(count, i)
        grads, aux = of_piece(params, extra, jax.tree.map(take, batch), take(keys))
        return lax.pmean(grads, PIECES), Aux(lax.psum(aux.metrics, PIECES), aux.extra)

    # No out axis: jax refuses an extra that is not the same in every piece.
    return jax.vmap(piece, axis_name=PIECES, out_axes=None)(jnp.arange(count))
