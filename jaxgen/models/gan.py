"""The MLP GAN of document 002, 5.2, mended: the output is an image and no weights are shared.

(1) x = G(z) = sigmoid(MLP(z)), pixels in [0, 1]
(2) logit of D(x) = MLP(x): a probability after a sigmoid, an unbounded score for a critic

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661. An image is B·height·width·C.
"""

import math

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.models.gan_config import GANConfig
from jaxgen.models.layers import MLP


class Generator(nn.Module):
    """Noise (B, Z) to images, Eq. (1)."""

    config: GANConfig
    image_shape: tuple[int, int, int]

    @nn.compact
    def __call__(self, noise: Float[Array, "B Z"]) -> Float[Array, "B height width C"]:
        """Images with pixels in [0, 1]."""
        pixels = MLP(self.config.generator_sizes, math.prod(self.image_shape))(noise)
        return jax.nn.sigmoid(pixels).reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """Images to one logit each, Eq. (2)."""

    config: GANConfig

    @nn.compact
    def __call__(
        self, image: Float[Array, "B height width C"], dropout_keys=None
    ) -> Float[Array, " B"]:
        """The logit that an image is real; dropout_keys (B,) switch dropout on."""
        config = self.config
        mlp = MLP(config.discriminator_sizes, 1, config.discriminator_dropout)
        return mlp(image.reshape(image.shape[0], -1), dropout_keys)[:, 0]
