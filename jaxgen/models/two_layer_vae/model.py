"""A variational autoencoder of two stochastic layers, each between multi-layer perceptrons.

(1) q(z₁|x) = N(mean(x), diag exp(log_variance(x))),  q(z₂|z₁) alike
(2) p(z₂) = N(0, I),  p(z₁|z₂) = N(mean(z₂), diag exp(log_variance(z₂)))
(3) p(x|z₁) = prod_i p(x_i | outputs_i(z₁))

Burda et al. 2016, section 5, https://arxiv.org/abs/1509.00519, with relu where they have tanh. An image
is B·height·width·C.
"""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from jaxgen.layers.basic import MLP
from jaxgen.layers.gaussian import Gaussian
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig


class TwoLayerVAE(nn.Module):
    """Four networks: up by `encode` and `encode_upper`, down by `decode_upper` and `decode`."""

    config: TwoLayerVAEConfig
    image_shape: tuple[int, int, int]
    outputs: int = 1

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.config.latent_size

    @property
    def upper_size(self) -> int:
        """Y."""
        return self.config.upper_size

    def setup(self):
        """The MLPs; those that go down have the widths of those that go up in reverse."""
        config = self.config
        lower, upper = config.hidden_sizes, config.upper_hidden_sizes
        self.encoder = MLP(lower, 2 * config.latent_size)
        self.upper_encoder = MLP(upper, 2 * config.upper_size)
        self.upper_decoder = MLP(upper[::-1], 2 * config.latent_size)
        self.decoder = MLP(lower[::-1], math.prod(self.image_shape) * self.outputs)

    def __call__(self, image: Float[Array, "B height width C"]):
        """Decode the lower mean, beside the prior of the upper one's; creates every parameter."""
        lower = self.encode(image).mean
        self.decode_upper(self.encode_upper(lower).mean)
        return self.decode(lower)

    def encode(self, image: Float[Array, "B height width C"]) -> Gaussian:
        """Eq. (1): q(z₁|x), each part (B, Z)."""
        return Gaussian.of(self.encoder(image.reshape(image.shape[0], -1)))

    def encode_upper(self, latent: Float[Array, "B Z"]) -> Gaussian:
        """Eq. (1): q(z₂|z₁), each part (B, Y)."""
        return Gaussian.of(self.upper_encoder(latent))

    def decode_upper(self, upper: Float[Array, "B Y"]) -> Gaussian:
        """Eq. (2): p(z₁|z₂), each part (B, Z)."""
        return Gaussian.of(self.upper_decoder(upper))

    def decode(
        self, latent: Float[Array, "B Z"]
    ) -> Float[Array, "B pixels"] | Float[Array, "B pixels outputs"]:
        """Eq. (3): (B, pixels) for one output, such as a Bernoulli's logits, else with an axis more."""
        y = self.decoder(latent)
        return y if self.outputs == 1 else y.reshape(y.shape[0], -1, self.outputs)
