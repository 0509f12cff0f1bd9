"""Scaled dot-product attention in three forms of one signature: literal, blockwise, fused.

All compute Eq. (4) of `attention.py`. The literal form is that equation: it holds the T·S matrix of
weights, and keeps it for the backward pass. The blockwise form holds one block of the matrix at a time.
For a query's row of scaled scores s, going over blocks j of keys with running maximum m, sum l and
unnormalised output a:

    (1) m' = max(m, max_j s_j)
        l' = e^(m−m') l + Σ_j e^(s_j−m'),   a' = e^(m−m') a + Σ_j e^(s_j−m') v_j
    (2) output = a / l,                     log Σ e^s = m + log l

Milakov & Gimelshein 2018, algorithm 3, https://arxiv.org/abs/1805.02867 (m, l); Rabe & Staats 2021,
https://arxiv.org/abs/2112.05682 (a, over blocks of keys and queries); Dao et al. 2022, algorithms 1
and 4, https://arxiv.org/abs/2205.14135 (the backward pass). Backward recomputes a block's weights P
from the kept logarithms; with dO the output's gradient, over the same blocks:

    (3) P = e^(s − log Σ e^s),   dV += Pᵀ dO,   dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O)),
        dQ += dS K / √d_k,       dK += dSᵀ Q / √d_k

The fused form is the platform's own kernel, of `attention_kernels.py`. In all three a query that may
attend to nothing, or finds no keys at all (S = 0), has output 0 and gradient 0. Shape letters and
conventions as in `attention.py`.
"""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxgen.equations import attention
from jaxgen.equations.attention_kernels import kernel_fits, nn_attention, tpu_kernel

Mask = Bool[Array, "*#B #T #S"]


def literal(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    value: Float[Array, "*B S U"],
    mask: Mask | None = None,
    *,
    causal: bool = False,
) -> Float[Array, "*B T U"]:
    """Eq. (4) of `attention.py`; memory grows with T·S.

    Args:
      mask: as in `attention.weights`. causal: only keys that `attention.causal_mask` lets be seen,
        beside what the mask says.

    Raises:
      ValueError: causal, and there are more queries than keys.
    """
    return attention.scaled_dot_product_attention(
        query, key, value, visible(query, key, mask, causal=causal)
    )


def blockwise(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    value: Float[Array, "*B S U"],
    mask: Mask | None = None,
    *,
    causal: bool = False,
    block: int = 256,
) -> Float[Array, "*B T U"]:
    """Eqs. (1) to (3); memory grows with T + S, forward and backward. Arguments as in `literal`.

    Blocks that a causal row cannot see are not computed. It has a reverse derivative only.

    Args:
      block: the largest side of a block, in queries and in keys; need not divide either length.
    """
    if causal:
        _check_lengths(query, key)
    if _is_empty(query, key, value):
        return _zeros(query, value)
    longest = max(query.shape[-2], key.shape[-2])
    block = -(
        -longest // -(-longest // block)
    )  # all alike: a last one of few rows costs a whole one
    return _blockwise(query, key, value, mask, causal, block)


def fused(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    value: Float[Array, "*B S U"],
    mask: Mask | None = None,
    *,
    causal: bool = False,
    platform: str | None = None,
) -> Float[Array, "*B T U"]:
    """The platform's kernel. Arguments as in `literal`.

    Args:
      platform: whose; None: of the one that the program is compiled for.

    On a TPU jax's Pallas flash kernel, on a GPU cuDNN's flash attention, each where `kernel_fits`; else
    `jax.nn.dot_product_attention`, which is the literal einsums. It knows one head size: where U is not
    H, the narrower arrays are padded with zeros, which costs what the wider one costs.
    """
    if causal:
        _check_lengths(query, key)
    if _is_empty(query, key, value):
        return _zeros(query, value)
    T, S, H = query.shape[-2], key.shape[-2], query.shape[-1]
    # Jax's own causal rule counts from the first key, ours from the last; and which rows see nothing is
    # known only of rule and mask together.
    if causal and (T != S or mask is not None):
        mask, causal = visible(query, key, mask, causal=True), False
    default = functools.partial(nn_attention, mask=mask, causal=causal)
    fits = kernel_fits("tpu", T, S, H, query.dtype, masked=mask is not None)
    if platform not in ("tpu", None) or not fits or query.ndim != 4 or value.shape[-1] != H:
        return default(query, key, value)
    tpu = functools.partial(tpu_kernel, causal=causal)
    if platform == "tpu":
        return tpu(query, key, value)
    return lax.platform_dependent(query, key, value, tpu=tpu, default=default)


FORMS: Mapping[str, Callable] = MappingProxyType(
    {"literal": literal, "blockwise": blockwise, "fused": fused}
)


def visible(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    mask: Mask | None = None,
    *,
    causal: bool = False,
) -> Mask | None:
    """Mask and causal rule as one mask of the query's rank; None: every key is seen."""
    if not causal:
        return mask
    rule = _of_rank(query.ndim, attention.causal_mask(query.shape[-2], key.shape[-2]))
    return rule if mask is None else rule & _of_rank(query.ndim, mask)


def _of_rank(rank: int, mask: Array) -> Array:
    """The mask with a leading axis of one for each that it lacks."""
    return mask.reshape((1,) * (rank - mask.ndim) + mask.shape)


def _check_lengths(query: Array, key: Array) -> None:
    if query.shape[-2] > key.shape[-2]:
        lengths = f"query_len {query.shape[-2]} is larger than key_len {key.shape[-2]}"
        raise ValueError(f"causal attention: {lengths}")


def _is_empty(query: Array, key: Array, value: Array) -> bool:
    """No queries, no keys, or an empty axis beside them: there is nothing to compute."""
    return 0 in (*query.shape[:-1], key.shape[-2], value.shape[-1])


def _zeros(query: Array, value: Array) -> Array:
    """What attention over no keys gives; empty where there are no queries."""
    return jnp.zeros((*query.shape[:-1], value.shape[-1]), value.dtype)


# The blockwise form. Every array is padded to whole blocks; a scan goes over the pairs (i, j) of a
# block of queries and a block of keys, and updates the rows of block i (backward: of j as well).


def _forward(query, key, value, mask, causal, block):
    """(output, what Eq. (3) needs); the paper's l is z here, since l reads like 1."""
    T, S = query.shape[-2], key.shape[-2]
    queries, keys, values = (_padded(array, block) for array in (query, key, value))
    rows = queries.shape[:-1]
    wide = jnp.promote_types(query.dtype, jnp.float32)
    start = (
        jnp.full(rows, -jnp.inf, wide),
        jnp.zeros(rows, wide),
        jnp.zeros((*rows, value.shape[-1]), wide),
    )
    scores = _block_scores(queries, keys, mask, causal, block, (T, S))

    def visit(carry, pair):
        i, j = pair
        m, z, a = (
            _take(array, i, block, axis) for array, axis in zip(carry, (-1, -1, -2), strict=True)
        )
        s = scores(i, j)
        new_m = jnp.maximum(m, s.max(-1))
        # A row that has seen nothing yet has m = -inf; any finite number then stands in for it.
        base = jnp.where(jnp.isneginf(new_m), 0.0, new_m)
        shrink, p = jnp.exp(m - base), jnp.exp(s - base[..., None])
        v = _take(values, j, block)
        mixed = jnp.einsum("...ts,...su->...tu", p.astype(v.dtype), v, preferred_element_type=wide)
        new = (new_m, shrink * z + p.sum(-1), shrink[..., None] * a + mixed)
        return tuple(
            _put(*args, i, block) for args in zip(carry, new, (-1, -1, -2), strict=True)
        ), None

    (m, z, a), _ = lax.scan(visit, start, _pairs(T, S, causal, block))
    seen = z > 0  # a query that may attend to nothing has output 0
    log_sums = jnp.where(seen, m, 0.0) + jnp.log(jnp.where(seen, z, 1.0))
    output = (a / jnp.where(seen, z, 1.0)[..., None])[..., :T, :].astype(value.dtype)
    return output, (query, key, value, mask, output, log_sums)


def _backward(causal, block, kept, gradient):
    """Eq. (3): the gradients by query, key and value."""
    query, key, value, mask, output, log_sums = kept
    T, S = query.shape[-2], key.shape[-2]
    wide = log_sums.dtype
    scale = 1 / math.sqrt(query.shape[-1])
    products = (gradient.astype(wide) * output.astype(wide)).sum(-1, keepdims=True)
    queries, keys, values, gradients, products = (
        _padded(array, block) for array in (query, key, value, gradient, products)
    )
    scores = _block_scores(queries, keys, mask, causal, block, (T, S))
    start = tuple(jnp.zeros(array.shape, wide) for array in (queries, keys, values))

    def visit(carry, pair):
        i, j = pair
        q, do, d = (_take(array, i, block) for array in (queries, gradients, products))
        k, v = _take(keys, j, block), _take(values, j, block)
        p = jnp.exp(scores(i, j) - _take(log_sums, i, block, -1)[..., None])
        dp = jnp.einsum("...tu,...su->...ts", do, v, preferred_element_type=wide)
        ds = (p * (dp - d) * scale).astype(query.dtype)
        p = p.astype(value.dtype)
        dq = jnp.einsum("...ts,...sh->...th", ds, k, preferred_element_type=wide)
        dk = jnp.einsum("...ts,...th->...sh", ds, q, preferred_element_type=wide)
        dv = jnp.einsum("...ts,...tu->...su", p, do, preferred_element_type=wide)
        added = (
            _put(array, _take(array, at, block) + new, -2, at, block)
            for array, new, at in zip(carry, (dq, dk, dv), (i, j, j), strict=True)
        )
        return tuple(added), None

    (dq, dk, dv), _ = lax.scan(visit, start, _pairs(T, S, causal, block))
    cut = (dq[..., :T, :], dk[..., :S, :], dv[..., :S, :])
    arrays = (query, key, value)
    return *(new.astype(old.dtype) for new, old in zip(cut, arrays, strict=True)), None


_blockwise = jax.custom_vjp(lambda *arguments: _forward(*arguments)[0], nondiff_argnums=(4, 5))
_blockwise.defvjp(_forward, _backward)


def _block_scores(queries, keys, mask, causal, block, lengths) -> Callable:
    """`scores(i, j)`: the scaled scores of a pair of blocks, -inf where a query may not attend."""
    T, S = lengths
    scale = 1 / math.sqrt(queries.shape[-1])
    if mask is not None:
        mask = _of_rank(queries.ndim, mask)
        widths = [(0, 0)] * (mask.ndim - 2)
        widths += [(0, -size % block if size > 1 else 0) for size in mask.shape[-2:]]
        mask = jnp.pad(mask, widths)

    def scores(i, j):
        s = attention.scores(_take(queries, i, block), _take(keys, j, block)) * scale
        query_at = (i * block + jnp.arange(block))[:, None]
        key_at = (j * block + jnp.arange(block))[None, :]
        allowed = key_at < S
        if causal:
            allowed &= key_at <= query_at + (S - T)
        allowed = _of_rank(s.ndim, allowed)
        if mask is not None:
            part = _take(mask, i, block) if mask.shape[-2] > 1 else mask
            allowed &= _take(part, j, block, -1) if mask.shape[-1] > 1 else part
        return jnp.where(allowed, s, -jnp.inf)

    return scores


def _pairs(T: int, S: int, causal: bool, block: int) -> tuple[Array, Array]:
    """The pairs (i, j) of blocks that hold something to see, as two rows."""
    seen = [
        [i, j]
        for i in range(-(-T // block))
        for j in range(-(-S // block))
        if not causal or j * block <= min((i + 1) * block, T) - 1 + (S - T)
    ]
    i, j = jnp.asarray(seen, jnp.int32).T
    return i, j


def _padded(array: Array, block: int) -> Array:
    """With rows of zeros up to whole blocks."""
    return jnp.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, -array.shape[-2] % block), (0, 0)])


def _take(array: Array, index: Any, block: int, axis: int = -2) -> Array:
    return lax.dynamic_slice_in_dim(array, index * block, block, axis)


def _put(array: Array, part: Array, axis: int, index: Any, block: int) -> Array:
    return lax.dynamic_update_slice_in_dim(array, part, index * block, array.ndim + axis)
