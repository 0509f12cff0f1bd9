"""A U-Net: an image is halved level by level and doubled again, each level beside what it was.

(1) c = silu(noise embedding + class embedding)
(2) block: x' + conv(drop(silu(norm(h)))),  h = conv(silu(norm(x))) + W c;  x' = x, or 1 x 1 of x where
    the channels differ
(3) attention: x + out(Attention(norm(x))) over all pixels
(4) down a level: convolution of stride 2;  up: each pixel four times, then a convolution
(5) a block on the way up reads [h, what the way down had in its place]

Ho et al. 2020, "Denoising diffusion probabilistic models", appendix B, https://arxiv.org/abs/2006.11239.
The last convolution of a block, of the attention and of the network start at zero, as in their code, so
that each begins as the identity. The noise is told as λ, see `jaxgen/layers/conditioning.py`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.layers.attention import Attention
from jaxgen.layers.conditioning import ClassEmbedding, NoiseEmbedding
from jaxgen.layers.convolution import Convolution
from jaxgen.layers.dropout import Dropout
from jaxgen.layers.norm import GroupNorm
from jaxgen.models.unet.config import UNetConfig

INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
ZERO = nn.initializers.zeros


class ResidualBlock(nn.Module):
    """Eq. (2)."""

    config: UNetConfig
    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "B I J C"], condition: Float[Array, "B E"], dropout_keys=None
    ) -> Float[Array, "B I J O"]:
        """The image with what this block has found, told noise and class between its convolutions."""
        config, size = self.config, self.features
        form = config.convolution
        h = jax.nn.silu(GroupNorm(config.num_groups, name="norm1")(x))
        h = Convolution(size, kernel_init=INIT, form=form, name="convolution1")(h)
        told = nn.Dense(size, kernel_init=INIT, name="told")(condition)
        h = h + told[:, None, None]
        h = jax.nn.silu(GroupNorm(config.num_groups, name="norm2")(h))
        h = Dropout(config.dropout, name="dropout")(h, dropout_keys)
        h = Convolution(size, kernel_init=ZERO, form=form, name="convolution2")(h)
        if x.shape[-1] != size:
            x = Convolution(size, (1, 1), kernel_init=INIT, form=form, name="skip")(x)
        return x + h


class PixelAttention(nn.Module):
    """Eq. (3)."""

    config: UNetConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B I J C"]) -> Float[Array, "B I J C"]:
        """Each pixel with what it has read in the others."""
        C, N = x.shape[-1], self.config.num_heads
        normal = GroupNorm(self.config.num_groups, name="norm")(x).reshape(x.shape[0], -1, C)
        read = Attention(N, C // N, nn.initializers.normal(C**-0.5), ZERO, name="attention")(normal)
        return x + read.reshape(x.shape)


class UNet(nn.Module):
    """Eqs. (1) to (5): scaled z, λ and class to one or several outputs for each number."""

    config: UNetConfig
    shape: tuple[int, int, int]
    num_classes: int | None
    outputs: int

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "B X"],
        log_snr: Float[Array, "B *K"],
        label: Int[Array, " B"] | None = None,
        dropout_keys=None,
    ) -> Float[Array, "B X"] | Float[Array, "B X V"]:
        """(B, X) for one output, else (B, X, outputs); label num_classes is no class.

        dropout_keys (B,) switch dropout on.
        """
        config, form = self.config, self.config.convolution
        condition = NoiseEmbedding(config.embedding_size)(log_snr)
        if self.num_classes is not None:
            condition = condition + ClassEmbedding(self.num_classes, config.embedding_size)(label)
        condition = jax.nn.silu(condition)

        def convolved(h, size, name, init=INIT, stride=1):
            return Convolution(size, kernel_init=init, stride=stride, form=form, name=name)(h)

        def block(h, level, name):
            h = ResidualBlock(config, config.channels * config.multiples[level], name=name)(
                h, condition, dropout_keys
            )
            if level not in config.attention_levels:
                return h
            return PixelAttention(config, name=f"{name}_attention")(h)

        h = convolved(z.reshape(-1, *self.shape), config.channels, "in")
        beside, last = [h], len(config.multiples) - 1
        for level in range(last + 1):
            for i in range(config.num_blocks):
                h = block(h, level, f"down{level}_{i}")
                beside.append(h)
            if level < last:
                h = convolved(h, h.shape[-1], f"down{level}", stride=2)
                beside.append(h)
        middle = h.shape[-1]
        h = ResidualBlock(config, middle, name="middle_0")(h, condition, dropout_keys)
        h = PixelAttention(config, name="middle_attention")(h)
        h = ResidualBlock(config, middle, name="middle_1")(h, condition, dropout_keys)
        for level in reversed(range(last + 1)):
            for i in range(config.num_blocks + 1):
                h = block(jnp.concatenate([h, beside.pop()], axis=-1), level, f"up{level}_{i}")
            if level:
                h = convolved(doubled(h), h.shape[-1], f"up{level}")
        h = jax.nn.silu(GroupNorm(config.num_groups, name="norm")(h))
        y = convolved(h, self.shape[-1] * self.outputs, "out", ZERO)
        return y.reshape(z.shape if self.outputs == 1 else (*z.shape, self.outputs))


def doubled(image: Float[Array, "B I J C"]) -> Float[Array, "B height width C"]:
    """Each pixel as a square of four."""
    return jnp.repeat(jnp.repeat(image, 2, axis=1), 2, axis=2)
