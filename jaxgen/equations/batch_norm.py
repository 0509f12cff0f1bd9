"""Normalisation of each channel over the batch.

Ioffe & Szegedy 2015, "Batch normalization", https://arxiv.org/abs/1502.03167
    (1) y = scale (x − mean) / sqrt(variance + ε) + bias       algorithm 1
    (2) kept ← momentum · kept + (1 − momentum) · found        what stands for them once training is over

Mean and variance are over the whole batch and all pixels, each channel for itself; they are the
caller's, since a batch may lie in pieces. Letter: C channels.
"""

from jax import lax
from jaxtyping import Array, Float

PerChannel = Float[Array, " C"]
EPSILON = 1e-5


def batch_norm(
    x: Float[Array, "*B C"],
    mean: PerChannel,
    variance: PerChannel,
    scale: PerChannel,
    bias: PerChannel,
) -> Float[Array, "*B C"]:
    """Eq. (1)."""
    lead = (1,) * (x.ndim - 1)
    factor = (scale * lax.rsqrt(variance + EPSILON)).reshape(*lead, -1)
    return (x - mean.reshape(*lead, -1)) * factor + bias.reshape(*lead, -1)


def running(kept: PerChannel, found: PerChannel, momentum: float) -> PerChannel:
    """Eq. (2): an average over steps whose weights fall by `momentum`."""
    return momentum * kept + (1.0 - momentum) * found
