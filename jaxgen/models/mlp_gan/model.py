"""The MLP GAN of document 002, 5.2, mended: the output is an image and no weights are shared.

(1) x = G(z) = sigmoid(MLP(z)), pixels in [0, 1]
(2) logit of D(x) = MLP(x): a probability after a sigmoid, an unbounded score for a critic

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661. An image is B·height·width·C.
"""

import math

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.layers.basic import MLP


class MLPGenerator(nn.Module):
    """Noise (B, Z) to images, Eq. (1)."""

    hidden_sizes: tuple[int, ...]
    latent_size: int
    image_shape: tuple[int, int, int]

    @nn.compact
    def __call__(self, noise: Float[Array, "B Z"]) -> Float[Array, "B height width C"]:
        """Images with pixels in [0, 1]."""
        pixels = MLP(self.hidden_sizes, math.prod(self.image_shape))(noise)
        return jax.nn.sigmoid(pixels).reshape(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images to one logit each, Eq. (2)."""

    hidden_sizes: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, image: Float[Array, "B height width C"], dropout_keys=None
    ) -> Float[Array, " B"]:
        """The logit that an image is real; dropout_keys (B,) switch dropout on."""
        mlp = MLP(self.hidden_sizes, 1, self.dropout)
        return mlp(image.reshape(image.shape[0], -1), dropout_keys)[:, 0]
