"""Normalisation over the features of each position, over an image's channels, or over the batch.

In the catalogue: `diffusion.group-norm`, `transformer.layer-norm`, `transformer.rms-norm`.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import transformer
from jaxgen.equations.batch_norm import batch_norm, running
from jaxgen.equations.group_norm import group_norm
from jaxgen.training.batch import mean_over_batch


class Norm(nn.Module):
    """LayerNorm with scale and bias ('layer'), or RMSNorm without parameters ('rms')."""

    kind: Literal["layer", "rms"] = "layer"

    @nn.compact
    def __call__(self, x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
        """Normalise over D."""
        if self.kind == "rms":
            return transformer.rms_norm(x)
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        return transformer.layer_norm(x, scale, bias)


class GroupNorm(nn.Module):
    """Eq. (1) of `equations/group_norm.py`, with scale and bias of each channel."""

    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B ... C"]) -> Float[Array, "B ... C"]:
        """Normalise each image over its pixels and each group of its channels."""
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        pixels = x.reshape(x.shape[0], -1, x.shape[-1])
        return group_norm(pixels, scale, bias, self.groups).reshape(x.shape)


class BatchNorm(nn.Module):
    """Eqs. (1) and (2) of `equations/batch_norm.py`, over the whole batch on any number of devices.

    Where the collection "batch_stats" may change, a step is training: the batch's own statistics count,
    and are added to the kept ones, by which a trained model is judged.
    """

    momentum: float = 0.9

    @nn.compact
    def __call__(self, x: Float[Array, "B ... C"]) -> Float[Array, "B ... C"]:
        """Normalise each channel."""
        size = x.shape[-1:]
        scale = self.param("scale", _near_one, size)
        bias = self.param("bias", nn.initializers.zeros, size)
        kept_mean = self.variable("batch_stats", "mean", jnp.zeros, size)
        kept_variance = self.variable("batch_stats", "variance", jnp.ones, size)
        if not self.is_mutable_collection("batch_stats") or self.is_initializing():
            return batch_norm(x, kept_mean.value, kept_variance.value, scale, bias)
        pixels = tuple(range(1, x.ndim - 1))
        mean = mean_over_batch(x.mean(pixels))
        around = jnp.square(x - mean.reshape((1,) * (x.ndim - 1) + size))
        variance = mean_over_batch(around.mean(pixels))
        kept_mean.value = running(kept_mean.value, mean, self.momentum)
        kept_variance.value = running(kept_variance.value, variance, self.momentum)
        return batch_norm(x, mean, variance, scale, bias)


def _near_one(key, shape, dtype=jnp.float32):
    """N(1, 0.02²), as Radford et al. 2016 start it: https://arxiv.org/abs/1511.06434."""
    return 1.0 + nn.initializers.normal(0.02)(key, shape, dtype)
