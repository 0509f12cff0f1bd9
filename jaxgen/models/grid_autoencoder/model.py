"""An autoencoder of images whose middle is a grid of features.

(1) encoder: x_l = relu(x_{l-1} * k_l + b_l), strides of 2;  then residual blocks;  z = relu(x) * k + b
(2) a block: x + (relu(relu(x) * k_3) * k_1), kernels of 3 x 3 and 1 x 1
(3) decoder: y = q * k + b;  then residual blocks;  y_l = relu(y_{l-1}) *ᵀ k_l + b_l, each twice as
    large, the last one the image

van den Oord et al. 2017, "Neural discrete representation learning", section 4.1,
https://arxiv.org/abs/1711.00937. An image is B·height·width·C, a grid B·I·J.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.layers.convolution import Convolution, TransposedConvolution
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig


class ResidualBlock(nn.Module):
    """Eq. (2)."""

    form: str

    @nn.compact
    def __call__(self, x: Float[Array, "B I J C"]) -> Float[Array, "B I J C"]:
        """What a place's neighbours say, added to it."""
        size = x.shape[-1]
        inner = Convolution(size, (3, 3), form=self.form, name="near")(jax.nn.relu(x))
        return x + Convolution(size, (1, 1), form=self.form, name="out")(jax.nn.relu(inner))


class Encoder(nn.Module):
    """Images to a grid of `outputs` numbers, Eq. (1)."""

    config: GridAutoencoderConfig
    outputs: int

    @nn.compact
    def __call__(self, image: Float[Array, "B height width C"]) -> Float[Array, "B I J outputs"]:
        """The features of each place."""
        config, x = self.config, image
        for layer, size in enumerate(config.channels):
            kernel = (config.kernel_size,) * 2
            form = config.convolution
            x = Convolution(size, kernel, stride=2, form=form, name=f"convolution{layer}")(x)
            x = x if layer == len(config.channels) - 1 else jax.nn.relu(x)
        for block in range(config.num_blocks):
            x = ResidualBlock(config.convolution, name=f"block{block}")(x)
        out = Convolution(self.outputs, (1, 1), form=config.convolution, name="out")
        return out(jax.nn.relu(x))


class Decoder(nn.Module):
    """A grid of codes to the mean of each pixel, Eq. (3)."""

    config: GridAutoencoderConfig
    image_channels: int

    @nn.compact
    def __call__(self, codes: Float[Array, "B I J D"]) -> Float[Array, "B height width C"]:
        """The image's pixels; nothing keeps them in [0, 1] but what they learn from."""
        config = self.config
        widths = (*config.channels[:-1][::-1], self.image_channels)
        form = config.convolution
        x = Convolution(config.channels[-1], (3, 3), form=form, name="in")(codes)
        for block in range(config.num_blocks):
            x = ResidualBlock(form, name=f"block{block}")(x)
        for layer, size in enumerate(widths):
            kernel = (config.kernel_size,) * 2
            init = nn.initializers.he_normal()
            spread = TransposedConvolution(
                size, kernel, kernel_init=init, form=form, name=f"spread{layer}"
            )
            x = spread(jax.nn.relu(x))
        return x


class GridAutoencoder(nn.Module):
    """Both halves as methods, `encode` and `decode`; what stands between them is a family's affair."""

    config: GridAutoencoderConfig
    image_channels: int
    outputs: int

    def setup(self):
        """The two halves."""
        self.encoder = Encoder(self.config, self.outputs)
        self.decoder = Decoder(self.config, self.image_channels)

    def __call__(self, image: Float[Array, "B height width C"]) -> Float[Array, "B height width C"]:
        """Creates every parameter; decodes a grid of zeros, which no feature reaches."""
        shape = (*self.encoder(image).shape[:3], self.config.code_size)
        return self.decoder(jnp.zeros(shape))

    def encode(self, image: Float[Array, "B height width C"]) -> Float[Array, "B I J outputs"]:
        """Eq. (1)."""
        return self.encoder(image)

    def decode(self, codes: Float[Array, "B I J D"]) -> Float[Array, "B height width C"]:
        """Eq. (3)."""
        return self.decoder(codes)
