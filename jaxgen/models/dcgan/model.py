"""A GAN of convolutions.

(1) G: h_0 = relu(norm(W z)), the smallest image;  h_l = relu(norm(h_{l-1} *ᵀ k_l)), twice as large
    each;  x = (1 + tanh(h_{L-1} *ᵀ k_L + b)) / 2, pixels in [0, 1]
(2) D: h_1 = leaky((2x − 1) * k_1 + b);  h_l = leaky(norm(h_{l-1} * k_l)), half as large each;
    logit = w h_L + b

Radford et al. 2016, "Unsupervised representation learning with deep convolutional generative adversarial
networks", section 3, https://arxiv.org/abs/1511.06434: strides, no pooling; norms but at G's end and D's
begin; relu in G, leaky relu of slope 0.2 in D; kernels from N(0, 0.02²). G's first layer, a transposed
convolution of one pixel there, is the dense layer that it is. An image is B·height·width·C.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.layers.convolution import Convolution, TransposedConvolution
from jaxgen.layers.norm import BatchNorm
from jaxgen.models.dcgan.config import DCGANConfig

START = nn.initializers.normal(0.02)
SLOPE = 0.2


class DCGANGenerator(nn.Module):
    """Noise (B, Z) to images of a shape, Eq. (1)."""

    config: DCGANConfig
    shape: tuple[int, ...]

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.config.latent_size

    @nn.compact
    def __call__(self, noise: Float[Array, "B Z"]) -> Float[Array, "B height width C"]:
        """Images with pixels in [0, 1]."""
        config = self.config
        normed, K = config.generator_norm == "batch", config.kernel_size
        height, width = config.smallest(self.shape)
        widths = config.channels[::-1]
        size = height * width * widths[0]
        x = nn.Dense(size, use_bias=not normed, kernel_init=START, name="in")(noise)
        x = _normed(x.reshape(-1, height, width, widths[0]), normed, "norm0")
        for layer, features in enumerate(widths[1:], start=1):
            spread = TransposedConvolution(
                features,
                (K, K),
                use_bias=not normed,
                form=config.convolution,
                name=f"spread{layer}",
            )
            x = _normed(spread(jax.nn.relu(x)), normed, f"norm{layer}")
        last = TransposedConvolution(self.shape[-1], (K, K), form=config.convolution, name="out")
        return (1.0 + jnp.tanh(last(jax.nn.relu(x)))) / 2.0


class DCGANDiscriminator(nn.Module):
    """Images to one logit each, Eq. (2)."""

    config: DCGANConfig

    @nn.compact
    def __call__(
        self, image: Float[Array, "B height width C"], dropout_keys=None
    ) -> Float[Array, " B"]:
        """The logit that an image is real; it drops nothing, whatever keys there are."""
        config, x = self.config, 2.0 * image - 1.0
        for layer, features in enumerate(config.channels):
            normed = config.discriminator_norm == "batch" and layer > 0
            convolution = Convolution(
                features, (config.kernel_size,) * 2, stride=2, use_bias=not normed, kernel_init=START,
                form=config.convolution, name=f"convolution{layer}",
            )  # fmt: skip
            x = jax.nn.leaky_relu(_normed(convolution(x), normed, f"norm{layer}"), SLOPE)
        head = nn.Dense(1, kernel_init=START, name="out")
        return head(x.reshape(x.shape[0], -1))[:, 0]


def _normed(x, normed: bool, name: str):
    return BatchNorm(name=name)(x) if normed else x
