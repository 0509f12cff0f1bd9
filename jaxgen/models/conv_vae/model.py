"""A variational autoencoder of convolutions.

(1) h_l = relu(h_{l-1} * k_l + b_l), strides of 2, from h_0 = 2x − 1;  q(z|x) by a hidden layer of h_L
(2) g_0 = relu(W' relu(W z + b) + b'), the smallest image;  g_l = relu(g_{l-1} *ᵀ k_l + b_l), twice as
    large each, and the last, without relu, the outputs: p(x|z) = prod_i p(x_i | outputs_i(z))

Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, with the strided layers of Radford et al. 2016,
https://arxiv.org/abs/1511.06434, and no norms: a bound is of single images. An image is
B·height·width·C.
"""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.layers.convolution import Convolution, TransposedConvolution
from jaxgen.layers.gaussian import Gaussian
from jaxgen.models.conv_vae.config import ConvVAEConfig

# A pixel of the result meets a quarter of a kernel's taps, where the stride is 2.
SPREAD = nn.initializers.variance_scaling(8.0, "fan_in", "truncated_normal")


class ConvVAE(nn.Module):
    """Both halves as methods: `encode` images to q(z|x), `decode` latents to p(x|z)."""

    config: ConvVAEConfig
    image_shape: tuple[int, int, int]
    outputs: int = 1

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.config.latent_size

    def setup(self):
        """The layers of Eqs. (1) and (2)."""
        config = self.config
        sides, form = (config.kernel_size,) * 2, config.convolution
        height, width = config.smallest(self.image_shape)
        self.convolutions = [
            Convolution(size, sides, stride=2, form=form) for size in config.channels
        ]
        self.encoder_hidden = nn.Dense(config.hidden_size, kernel_init=nn.initializers.he_normal())
        self.posterior = nn.Dense(2 * config.latent_size)
        self.decoder_hidden = nn.Dense(config.hidden_size, kernel_init=nn.initializers.he_normal())
        self.smallest = nn.Dense(
            height * width * config.channels[-1], kernel_init=nn.initializers.he_normal()
        )
        channels = (*config.channels[-2::-1], self.image_shape[-1] * self.outputs)
        self.spreads = [
            TransposedConvolution(size, sides, kernel_init=SPREAD, form=form) for size in channels
        ]

    def __call__(self, image: Float[Array, "B height width C"]):
        """Encode and decode at the mean; creates every parameter."""
        return self.decode(self.encode(image).mean)

    def encode(self, image: Float[Array, "B height width C"]) -> Gaussian:
        """Eq. (1): the mean and log-variance of q(z|x), each (B, Z)."""
        x = 2.0 * image - 1.0
        for convolution in self.convolutions:
            x = jax.nn.relu(convolution(x))
        hidden = jax.nn.relu(self.encoder_hidden(x.reshape(x.shape[0], -1)))
        return Gaussian.of(self.posterior(hidden))

    def decode(
        self, latent: Float[Array, "B Z"]
    ) -> Float[Array, "B pixels"] | Float[Array, "B pixels outputs"]:
        """Eq. (2): (B, pixels) for one output, such as a Bernoulli's logits, else with an axis more."""
        height, width = self.config.smallest(self.image_shape)
        x = self.smallest(jax.nn.relu(self.decoder_hidden(latent)))
        x = x.reshape(-1, height, width, self.config.channels[-1])
        for spread in self.spreads:
            x = spread(jax.nn.relu(x))
        shape = (x.shape[0], -1) if self.outputs == 1 else (x.shape[0], -1, self.outputs)
        return x.reshape(shape)
