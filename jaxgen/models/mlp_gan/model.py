"""The MLP GAN of document 002, 5.2, mended: the output is an image and no weights are shared.

(1) x = G(z) = sigmoid(MLP(z)), pixels in [0, 1]; of points, whose numbers have no bounds, MLP(z)
(2) logit of D(x) = MLP(x): a probability after a sigmoid, an unbounded score for a critic; of points
    MLP([x, sin, cos]), with the waves of Tancik et al. 2020, https://arxiv.org/abs/2006.10739

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661. An image is B·height·width·C, a point B·X.
"""

import math

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.layers.basic import MLP
from jaxgen.layers.conditioning import with_waves


class MLPGenerator(nn.Module):
    """Noise (B, Z) to examples of a shape, Eq. (1)."""

    hidden_sizes: tuple[int, ...]
    latent_size: int
    shape: tuple[int, ...]
    squashed: bool = True

    @nn.compact
    def __call__(self, noise: Float[Array, "B Z"]) -> Float[Array, "B *shape"]:
        """Images with pixels in [0, 1]; not squashed: points."""
        numbers = MLP(self.hidden_sizes, math.prod(self.shape))(noise)
        numbers = jax.nn.sigmoid(numbers) if self.squashed else numbers
        return numbers.reshape(-1, *self.shape)


class MLPDiscriminator(nn.Module):
    """Images, or points, to one logit each, Eq. (2)."""

    hidden_sizes: tuple[int, ...]
    dropout: float = 0.0
    waves: int = 0

    @nn.compact
    def __call__(self, example: Float[Array, "B *shape"], dropout_keys=None) -> Float[Array, " B"]:
        """The logit that an example is real; dropout_keys (B,) switch dropout on."""
        mlp = MLP(self.hidden_sizes, 1, self.dropout)
        numbers = with_waves(example.reshape(example.shape[0], -1), self.waves)
        return mlp(numbers, dropout_keys)[:, 0]
