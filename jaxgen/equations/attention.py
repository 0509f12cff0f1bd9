"""Scaled dot-product attention, in the three steps in which document 003, 4.1 explains it.

    (1) Scores = Q Kᵀ
    (2) Weights = softmax(Scores / √d_k), over keys
    (3) Output = Weights V
    (4) Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V, the three in one
    (5) Weights = softmax(Scores / √d_k + Bias), where positions have a bias of their own

Vaswani et al. 2017, "Attention is all you need", eq. (1), https://arxiv.org/abs/1706.03762; (5) Press
et al. 2021 (ALiBi), eq. in section 3, https://arxiv.org/abs/2108.12409, and Raffel et al. 2019 (T5),
section 2.1, https://arxiv.org/abs/1910.10683, which has no 1/√d_k.

As printed in 003, 4.1, and kept here to be run:

    (2p) Weights = softmax(Scores)
    (4p) Attention(Q, K, V) = (1/√d_k) softmax(Q Kᵀ / d_k) V

Shape letters: *B any leading axes (batch, or batch and heads), T query length, S key length,
H head size (the paper's d_k; for values its d_v, here U, which may differ). Heads come before
time: callers pass (B, N, T, H).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.equations.precision import widen


def scores(query: Float[Array, "*B T H"], key: Float[Array, "*B S H"]) -> Float[Array, "*B T S"]:
    """Eq. (1): every query's dot product with every key, `Q Kᵀ`, not yet scaled.

    Narrow inputs are accumulated into float32, the precision that the softmax needs.
    """
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    return jnp.einsum("...th,...sh->...ts", query, key, preferred_element_type=dtype)


def weights(
    scores: Float[Array, "*B T S"],
    head_size: int,
    mask: Bool[Array, "*#B #T #S"] | None = None,
    bias: Float[Array, "*#B T S"] | None = None,
) -> Float[Array, "*B T S"]:
    """Eq. (2): `softmax(Scores / √d_k)` over keys; each row is a distribution over what it sees.

    Dot products of d_k independent unit-variance terms have variance d_k; the root brings the
    scores back to unit variance, where the softmax still has a gradient.

    Args:
      scores: output of Eq. (1).
      head_size: d_k, the length of one query.
      mask: True where a query may attend to a key. A masked key gets weight 0 exactly, and a
        query that may attend to nothing gets a row of zeros (its output is 0, its gradient 0).
      bias: added to the scaled scores, Eq. (5).
    """
    scaled = widen(scores) / math.sqrt(head_size)
    if bias is not None:
        scaled = scaled + widen(bias)
    if mask is None:
        return jax.nn.softmax(scaled, axis=-1)
    allowed = jnp.broadcast_to(mask, scaled.shape)
    # The lowest finite number, not -inf: a row of -inf would be NaN before the last line clears it.
    masked = jnp.where(allowed, scaled, jnp.finfo(scaled.dtype).min)
    return jnp.where(allowed, jax.nn.softmax(masked, axis=-1), 0.0)


def output(
    weights: Float[Array, "*B T S"], value: Float[Array, "*B S U"]
) -> Float[Array, "*B T U"]:
    """Eq. (3): each query's average of the values, `Weights V`, in the dtype of the values."""
    return jnp.einsum("...ts,...su->...tu", weights.astype(value.dtype), value)


def scaled_dot_product_attention(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    value: Float[Array, "*B S U"],
    mask: Bool[Array, "*#B #T #S"] | None = None,
) -> Float[Array, "*B T U"]:
    """Eq. (4): `softmax(Q Kᵀ / √d_k) V`, composed of Eqs. (1) to (3); mask as in `weights`."""
    return output(weights(scores(query, key), query.shape[-1], mask), value)


def causal_mask(query_len: int, key_len: int) -> Bool[Array, "T S"]:
    """Which keys a query may see when none may look ahead: True where `s <= t + (S - T)`.

    The last query is aligned with the last key, so with earlier keys kept in a cache (S > T) the
    same mask serves. Vaswani et al. 2017, section 3.2.3.

    Raises:
      ValueError: there are more queries than keys, so the first queries would see nothing.
    """
    if query_len > key_len:
        raise ValueError(f"causal_mask: query_len {query_len} is larger than key_len {key_len}")
    last_visible = jnp.arange(query_len)[:, None] + (key_len - query_len)
    return jnp.arange(key_len)[None, :] <= last_visible


def printed_weights(scores: Float[Array, "*B T S"]) -> Float[Array, "*B T S"]:
    """Eq. (2p), as printed: `softmax(Scores)`, which is Eq. (2) only where d_k = 1."""
    return jax.nn.softmax(widen(scores), axis=-1)


def printed_scaled_dot_product_attention(
    query: Float[Array, "*B T H"], key: Float[Array, "*B S H"], value: Float[Array, "*B S U"]
) -> Float[Array, "*B T U"]:
    """Eq. (4p), as printed: `(1/√d_k) softmax(Q Kᵀ / d_k) V`.

    Scaled twice. Dividing by d_k flattens the softmax towards a plain average as d_k grows, and
    the factor outside makes each row of weights sum to 1/√d_k, so the output shrinks as well.
    """
    head_size = query.shape[-1]
    rows = jax.nn.softmax(scores(query, key) / head_size, axis=-1)
    return output(rows / math.sqrt(head_size), value)


class WorkedExample(NamedTuple):
    """The three quantities that the example of 003, 4.1 works out, one per step."""

    scores: Float[Array, "T S"]
    weights: Float[Array, "T S"]
    output: Float[Array, "T U"]


def worked_example_inputs() -> tuple[Float[Array, "3 1"], Float[Array, "3 1"], Float[Array, "3 1"]]:
    """Q, K and V of the example: three positions, d_k = 1."""
    column = jnp.arange(1.0, 4.0)[:, None]
    return column, column + 3.0, column + 6.0


def worked_example(
    query: Float[Array, "T H"], key: Float[Array, "S H"], value: Float[Array, "S U"]
) -> WorkedExample:
    """Eqs. (1) to (3) step by step, on the example's inputs or any others."""
    step_1 = scores(query, key)
    step_2 = weights(step_1, query.shape[-1])
    return WorkedExample(step_1, step_2, output(step_2, value))


def printed_worked_example(
    query: Float[Array, "T 1"], key: Float[Array, "S 1"], value: Float[Array, "S 1"]
) -> WorkedExample:
    """The example's results as printed: scores right, every weight 1/S, output a row of V/S.

    The weights are what a softmax gives for equal scores, which these are not; and the output
    repeats V/S along each row, (T, S), where the sum over keys should have left one column.
    """
    step_1 = scores(query, key)
    thirds = jnp.full_like(step_1, 1.0 / key.shape[0])
    return WorkedExample(step_1, thirds, thirds * value.T)
