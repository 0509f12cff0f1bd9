"""What a transformer block needs beside attention; none of it is in the documents.

    (1) LN(x) = (x − mean x) / √(var x + ε) · g + b
        Ba et al. 2016, eqs. (3) and (4), https://arxiv.org/abs/1607.06450
    (2) RMSNorm(x) = x / √(mean x² + ε) · g
        Zhang & Sennrich 2019, eq. (4), https://arxiv.org/abs/1910.07467
    (3) (x_i, x_{i+H/2}) ← rotated by the angle  position · base^(−2i/H)
        Su et al. 2021, eq. (15), https://arxiv.org/abs/2104.09864
    (4) GELU(x) = x Φ(x)
    (5) GELU(x) ≈ ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))
        Hendrycks & Gimpel 2016, section 2, https://arxiv.org/abs/1606.08415
    (6) squared ReLU(x) = max(x, 0)²
        So et al. 2021, "Primer", https://arxiv.org/abs/2109.08668

Shape letters: *B leading axes, T time, D model size, H head size. Statistics and angles are
computed in float32; results have the dtype of x.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations.precision import widen


def layer_norm(
    x: Float[Array, "*B D"],
    scale: Float[Array, " D"],
    bias: Float[Array, " D"],
    epsilon: float = 1e-5,
) -> Float[Array, "*B D"]:
    """Eq. (1): zero mean and unit (biased) variance over the last axis, then scale and bias."""
    wide = widen(x)
    # Two passes: E[x²] − E[x]² in one pass cancels when the mean is large beside the deviation.
    centred = wide - jnp.mean(wide, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    normal = centred * jax.lax.rsqrt(variance + epsilon)
    return (normal * _along_last(scale, x) + _along_last(bias, x)).astype(x.dtype)


def rms_norm(
    x: Float[Array, "*B D"], scale: Float[Array, " D"] | None = None, epsilon: float = 1e-6
) -> Float[Array, "*B D"]:
    """Eq. (2): unit mean square over the last axis, then a scale if there is one."""
    wide = widen(x)
    mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    normal = wide * jax.lax.rsqrt(mean_square + epsilon)
    if scale is not None:
        normal = normal * _along_last(scale, x)
    return normal.astype(x.dtype)


def rotary(
    x: Float[Array, "*B T H"], positions: Int[Array, "*#B T"], base: float = 10000.0
) -> Float[Array, "*B T H"]:
    """Eq. (3): queries or keys turned by their position, so that dot products see the distance.

    The pairs are (i, i + H/2), first half with second half, where the paper pairs neighbours
    (2i, 2i + 1): the same rotation under a fixed permutation of the features.

    Args:
      x: queries or keys. positions: of each time step, (T,) or broadcastable to (*B, T).
      base: sets the slowest rotation; angles run from `position` to about `position / base`.

    Raises:
      ValueError: H is odd, so the features cannot be paired.
    """
    head_size = x.shape[-1]
    if head_size % 2:
        raise ValueError(f"rotary: head size {head_size} is odd; the features turn in pairs")
    frequencies = base ** (-jnp.arange(0, head_size, 2, dtype=jnp.float32) / head_size)
    angles = jnp.einsum("...t,f->...tf", positions.astype(jnp.float32), frequencies)
    angles = jnp.broadcast_to(angles, (*x.shape[:-1], head_size // 2))
    first, second = jnp.split(widen(x), 2, axis=-1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x.dtype)


def gelu(x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Eq. (4): `x Φ(x)`, Φ the standard normal's distribution function; the exact form."""
    # Φ(x) = ½ erfc(−x/√2): for x << 0 the usual ½ (1 + erf) would round to 0.
    return 0.5 * x * jax.lax.erfc(-x * math.sqrt(0.5))


def gelu_tanh(x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Eq. (5): the tanh approximation of Eq. (4), the form that GPT-2 was trained with."""
    # x³ leaves the range of float16 from x = 40 on, and the gradient would be ∞ · 0. bfloat16 has the
    # range of float32; widened too, it would keep twice the bytes for the backward pass.
    wide = widen(x) if x.dtype == jnp.float16 else x
    inner = wide + 0.044715 * wide * wide * wide
    # ½ (1 + tanh u) = sigmoid(2u), which keeps its digits where tanh u is close to −1.
    return (wide * jax.nn.sigmoid(2.0 * math.sqrt(2.0 / math.pi) * inner)).astype(x.dtype)


def squared_relu(x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Eq. (6): `max(x, 0)²`."""
    return jnp.square(jax.nn.relu(x))


def _along_last(vector: Float[Array, " D"], x: Float[Array, "*B D"]) -> Float[Array, "*#B D"]:
    """The vector with a leading axis of one for each of x's, for broadcasting is never implicit."""
    return widen(vector).reshape((1,) * (x.ndim - 1) + vector.shape)
