"""A variational autoencoder with MLP encoder and decoder.

(1) q(z|x) = N(z; mean(x), diag exp(log_variance(x)))
(2) p(x|z) = prod_i p(x_i | outputs_i(z)), of one or several outputs for each of an image's numbers

Kingma & Welling 2014, appendix C, https://arxiv.org/abs/1312.6114. An image is B·height·width·C.
"""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from jaxgen.layers.basic import MLP
from jaxgen.layers.gaussian import Gaussian


class MLPVAE(nn.Module):
    """Both halves as methods: `encode` images to q(z|x), `decode` latents to p(x|z)."""

    hidden_sizes: tuple[int, ...]
    latent_size: int
    image_shape: tuple[int, int, int]
    outputs: int = 1

    def setup(self):
        """Two MLPs, the decoder's widths mirroring the encoder's."""
        self.encoder = MLP(self.hidden_sizes, 2 * self.latent_size)
        self.decoder = MLP(self.hidden_sizes[::-1], math.prod(self.image_shape) * self.outputs)

    def __call__(self, image: Float[Array, "B height width C"]):
        """Encode and decode at the mean; creates every parameter."""
        return self.decode(self.encode(image).mean)

    def encode(self, image: Float[Array, "B height width C"]) -> Gaussian:
        """Eq. (1): the mean and log-variance of q(z|x), each (B, Z)."""
        return Gaussian.of(self.encoder(image.reshape(image.shape[0], -1)))

    def decode(
        self, latent: Float[Array, "B Z"]
    ) -> Float[Array, "B pixels"] | Float[Array, "B pixels outputs"]:
        """Eq. (2): (B, pixels) for one output, such as a Bernoulli's logits, else with an axis more."""
        y = self.decoder(latent)
        return y if self.outputs == 1 else y.reshape(y.shape[0], -1, self.outputs)
