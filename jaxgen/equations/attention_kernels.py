"""The platforms' own kernels of attention, and which sizes they take.

On a TPU jax's Pallas flash kernel (Dao et al. 2022, https://arxiv.org/abs/2205.14135, after
`jax.experimental.pallas.ops.tpu`), on a GPU of NVIDIA's cuDNN's, through `jax.nn`. Shape letters and
conventions as in `attention.py`.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float


def kernel_fits(
    platform: str,
    query_len: int,
    key_len: int,
    head_size: int,
    dtype: DTypeLike,
    *,
    masked: bool = False,
    causal: bool = False,
) -> bool:
    """Whether a platform has a kernel, forward and backward, for such sizes.

    'tpu': whole blocks of 128, no mask. 'cuda': 16 bits, a mask only over even lengths (Ampere and
    later; Hopper would take larger heads). No other has one. A causal rule over two lengths is a mask.
    """
    T, S, H = query_len, key_len, head_size
    masked = masked or (causal and T != S)
    if platform == "tpu":
        return T % 128 == 0 and S % 128 == 0 and (H <= 128 or H % 128 == 0) and not masked
    if platform == "cuda":
        narrow = jnp.dtype(dtype) in (jnp.bfloat16, jnp.float16)
        even = T % 2 == 0 and S % 2 == 0
        return narrow and H % 8 == 0 and H <= 128 and (even or not masked)
    return False


def has_cudnn() -> bool:
    """Whether jax can trace cuDNN's kernel here, which it refuses without a GPU of NVIDIA's."""
    if jax.default_backend() != "gpu":
        return False
    x = jax.ShapeDtypeStruct((1, 128, 1, 64), jnp.bfloat16)
    try:
        jax.eval_shape(lambda x: jax.nn.dot_product_attention(x, x, x, implementation="cudnn"), x)
    except RuntimeError:
        return False
    return True


def tpu_kernel(
    query: Float[Array, "B N T H"],
    key: Float[Array, "B N S H"],
    value: Float[Array, "B N S H"],
    *,
    causal: bool,
) -> Float[Array, "B N T H"]:
    """The Pallas kernel; sizes as `kernel_fits` has them, T = S where causal."""
    from jax.experimental.pallas.ops.tpu.flash_attention import flash_attention

    return flash_attention(query, key, value, causal=causal, sm_scale=query.shape[-1] ** -0.5)


def nn_attention(
    query: Float[Array, "*B T H"],
    key: Float[Array, "*B S H"],
    value: Float[Array, "*B S U"],
    mask: Bool[Array, "*#B #T #S"] | None,
    *,
    causal: bool,
) -> Float[Array, "*B T U"]:
    """`jax.nn.dot_product_attention`: cuDNN's kernel where there is one and it fits, else einsums.

    Jax's function knows one head size, so the narrower arrays are padded; and a row that sees nothing
    is a mean there, which becomes 0 here.

    Args:
      causal: counted from the first key; only without a mask, which has to hold the rule itself.
    """
    lead, T, S = query.shape[:-2], query.shape[-2], key.shape[-2]
    width = max(query.shape[-1], value.shape[-1])
    fits = kernel_fits("cuda", T, S, width, query.dtype, masked=mask is not None)

    def folded(array, *order):
        one_batch = array.reshape((-1, lead[-1] if lead else 1, *array.shape[-2:]))  # (B, N, T, H)
        return one_batch.transpose(order)

    attend = functools.partial(
        jax.nn.dot_product_attention,  # of (B, T, N, H)
        *(folded(_widened(array, width), 0, 2, 1, 3) for array in (query, key, value)),
        scale=query.shape[-1] ** -0.5,
        implementation="cudnn" if fits and has_cudnn() else None,
    )
    if mask is None:
        return _unfolded(attend(is_causal=causal), query.shape, value.shape)
    every = jnp.broadcast_to(mask, (*lead, T, S))
    out = _unfolded(attend(mask=folded(every, 0, 1, 2, 3)), query.shape, value.shape)
    return jnp.where(every.any(-1, keepdims=True), out, 0)


def _widened(array, width):
    """With features of zero up to that head size: they change no score, and no output that is kept."""
    return jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])])


def _unfolded(out, query_shape, value_shape):
    """(B, T, N, width) back to the query's leading axes and the values' size, (*B, T, U)."""
    heads_first = out[..., : value_shape[-1]].swapaxes(-3, -2)
    return heads_first.reshape((*query_shape[:-1], value_shape[-1]))
