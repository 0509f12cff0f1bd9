"""Normalisation of an image's channels in groups, each image for itself.

Wu & He 2018, "Group normalization", https://arxiv.org/abs/1803.08494
    (1) y = scale (x − mean_g) / sqrt(variance_g + ε) + bias       eqs. (1) to (3) and (7)

Mean and variance are over all pixels and the channels of a group, so that nothing depends on the rest of
the batch. Letters: T pixels, C channels, in groups of as many that follow each other.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

EPSILON = 1e-5


def group_norm(
    x: Float[Array, "B T C"],
    scale: Float[Array, " C"],
    bias: Float[Array, " C"],
    groups: int,
) -> Float[Array, "B T C"]:
    """Eq. (1).

    Raises:
      ValueError: the channels cannot be divided into so many groups.
    """
    channels = x.shape[-1]
    if channels % groups:
        raise ValueError(f"{channels} channels cannot be divided into {groups} groups")
    parts = x.reshape(*x.shape[:2], groups, channels // groups)
    # Two passes: E[x²] − E[x]² in one pass cancels when the mean is large beside the deviation.
    centred = parts - jnp.mean(parts, axis=(1, 3), keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=(1, 3), keepdims=True)
    normal = (centred * lax.rsqrt(variance + EPSILON)).reshape(x.shape)
    return normal * scale[None, None] + bias[None, None]
