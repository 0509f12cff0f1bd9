"""How a network is told the noise and the class: embeddings, and norms that follow them.

(1) noise: W2 silu(W1 [sin(λ f_i), cos(λ f_i)] + b1) + b2,  f_i a geometric row of frequencies
(2) adaptive norm: y = (1 + scale(c)) LayerNorm(x) + shift(c)

Peebles & Xie 2023, "Scalable diffusion models with transformers", section 3.2,
https://arxiv.org/abs/2212.09748. The noise is told as λ, the log of the signal-to-noise ratio, which no
schedule's choice of time changes (Kingma & Gao 2023, https://arxiv.org/abs/2303.00848).

In the catalogue: `transformer.layer-norm`.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import transformer

WAVES = 16
"""Frequencies of λ, from one wave in 100 to one in 2."""


class NoiseEmbedding(nn.Module):
    """Eq. (1): λ of each example, or several numbers of its kind, as `size` features."""

    size: int

    @nn.compact
    def __call__(self, log_snr: Float[Array, "B *K"]) -> Float[Array, "B D"]:
        """Features of each λ, or of the K numbers that belong together."""
        frequencies = 2 * math.pi / jnp.geomspace(2.0, 100.0, WAVES)
        told = log_snr.reshape(log_snr.shape[0], -1, 1)
        angles = (told * frequencies[None, None]).reshape(log_snr.shape[0], -1)
        waves = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        hidden = jax.nn.silu(nn.Dense(self.size, name="in")(waves))
        return nn.Dense(self.size, name="out")(hidden)


class ClassEmbedding(nn.Module):
    """A row for each class, and a last one for no class, where labels may be dropped."""

    num_classes: int
    size: int
    no_class: bool = True
    deviation: float = 0.02

    @nn.compact
    def __call__(self, label: Int[Array, " B"]) -> Float[Array, "B D"]:
        """The rows of the labels."""
        shape = (self.num_classes + self.no_class, self.size)
        return self.param("embedding", nn.initializers.normal(self.deviation), shape)[label]


def modulated(
    x: Float[Array, "B ... D"], scale: Float[Array, "B D"], shift: Float[Array, "B D"]
) -> Float[Array, "B ... D"]:
    """Eq. (2): LayerNorm without parameters of its own, scaled and shifted for each example."""
    size, lead = x.shape[-1], (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    normal = transformer.layer_norm(x, jnp.ones(size), jnp.zeros(size))
    return normal * (1 + scale.reshape(lead)) + shift.reshape(lead)


def with_waves(z: Float[Array, "B X"], count: int) -> Float[Array, "B inputs"]:
    """z with sin and cos of π 2^i z / 2 beside it, i = 0 .. count - 1."""
    if not count:
        return z
    frequencies = 0.5 * math.pi * 2.0 ** jnp.arange(count)
    angles = (z[:, :, None] * frequencies[None, None]).reshape(z.shape[0], -1)
    return jnp.concatenate([z, jnp.sin(angles), jnp.cos(angles)], axis=-1)
