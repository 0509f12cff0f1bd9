"""A GAN of convolutions.

(1) G: h_0 = relu(norm(W z)), the smallest image;  h_l = relu(norm(h_{l-1} *ᵀ k_l)), twice as large
    each;  x = (1 + tanh(h_{L-1} *ᵀ k_L + b)) / 2, pixels in [0, 1]
(2) D: h_1 = leaky((2x − 1) * k_1 + b);  h_l = leaky(norm(h_{l-1} * k_l)), half as large each;
    logit = w h_L + b
(3) of a class y: G's input is [z, e(y)], and D's either x with e(y) as one more plane of pixels (Denton
    et al. 2015, section 3.1, https://arxiv.org/abs/1506.05751), or its logit has e(y)·h_L beside that
    of (2): Eq. (2) of `equations/gan_controls.py`

Radford et al. 2016, "Unsupervised representation learning with deep convolutional generative adversarial
networks", section 3, https://arxiv.org/abs/1511.06434: strides, no pooling; norms but at G's end and D's
begin; relu in G, leaky relu of slope 0.2 in D; kernels from N(0, 0.02²). G's first layer, a transposed
convolution of one pixel there, is the dense layer that it is. An image is B·height·width·C.

In the catalogue: `gan.projection`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import gan_controls
from jaxgen.layers.conditioning import ClassEmbedding
from jaxgen.layers.convolution import Convolution, TransposedConvolution
from jaxgen.layers.norm import BatchNorm
from jaxgen.models.dcgan.config import DCGANConfig

START = nn.initializers.normal(0.02)
SLOPE = 0.2


class DCGANGenerator(nn.Module):
    """Noise (B, Z), and a class where it is told, to images of a shape, Eqs. (1) and (3)."""

    config: DCGANConfig
    shape: tuple[int, ...]
    num_classes: int = 0

    @property
    def latent_size(self) -> int:
        """Z."""
        return self.config.latent_size

    @nn.compact
    def __call__(
        self, noise: Float[Array, "B Z"], label: Int[Array, " B"] | None = None
    ) -> Float[Array, "B height width C"]:
        """Images with pixels in [0, 1]."""
        config = self.config
        if config.labels != "none":
            own = _told(self.num_classes, config.label_size)(label)
            noise = jnp.concatenate([noise, own], axis=-1)
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
    """Images to one logit each, Eqs. (2) and (3)."""

    config: DCGANConfig
    num_classes: int = 0

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "B height width C"],
        dropout_keys=None,
        label: Int[Array, " B"] | None = None,
    ) -> Float[Array, " B"]:
        """The logit that an image is real, of its class; it drops nothing, whatever keys there are."""
        config, x = self.config, 2.0 * image - 1.0
        if config.labels == "embedding":
            plane = _told(self.num_classes, x.shape[1] * x.shape[2])(label)
            x = jnp.concatenate([x, plane.reshape(*x.shape[:3], 1)], axis=-1)
        for layer, features in enumerate(config.channels):
            normed = config.discriminator_norm == "batch" and layer > 0
            convolution = Convolution(
                features, (config.kernel_size,) * 2, stride=2, use_bias=not normed, kernel_init=START,
                form=config.convolution, name=f"convolution{layer}",
            )  # fmt: skip
            x = jax.nn.leaky_relu(_normed(convolution(x), normed, f"norm{layer}"), SLOPE)
        head = nn.Dense(1, kernel_init=START, name="out")
        features = x.reshape(x.shape[0], -1)
        logits = head(features)[:, 0]
        if config.labels != "projection":
            return logits
        vector = ClassEmbedding(self.num_classes, features.shape[-1], no_class=False)(label)
        return gan_controls.projection_logit(features, vector, logits)


def _told(num_classes: int, size: int) -> ClassEmbedding:
    """Embeddings as large as noise to begin with."""
    return ClassEmbedding(num_classes, size, no_class=False, deviation=1.0, name="label")


def _normed(x, normed: bool, name: str):
    return BatchNorm(name=name)(x) if normed else x
