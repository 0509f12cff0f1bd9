"""The MLP GAN of document 002, 5.2, mended: the output is an image and no weights are shared.

(1) x = G(z) = sigmoid(MLP(z)), pixels in [0, 1]; of points, whose numbers have no bounds, MLP(z)
(2) logit of D(x) = MLP(x): a probability after a sigmoid, an unbounded score for a critic; of points
    MLP([x, sin, cos]), with the waves of Tancik et al. 2020, https://arxiv.org/abs/2006.10739
(3) of a class y: G's input is [z, e(y)], and D's either [x, e(y)] (Mirza & Osindero 2014, section 3.2,
    https://arxiv.org/abs/1411.1784, with embeddings for their one-hot vectors), or its logit has
    e(y)·h, h the last hidden layer, beside that of (2): Eq. (2) of `equations/gan_controls.py`

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661. An image is B·height·width·C, a point B·X.

In the catalogue: `gan.projection`.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import gan_controls
from jaxgen.layers.basic import MLP
from jaxgen.layers.conditioning import ClassEmbedding, with_waves
from jaxgen.models.base import Labels


class MLPGenerator(nn.Module):
    """Noise (B, Z), and a class where there are any, to examples of a shape, Eqs. (1) and (3)."""

    hidden_sizes: tuple[int, ...]
    latent_size: int
    shape: tuple[int, ...]
    squashed: bool = True
    num_classes: int = 0
    label_size: int = 32

    @nn.compact
    def __call__(
        self, noise: Float[Array, "B Z"], label: Int[Array, " B"] | None = None
    ) -> Float[Array, "B *shape"]:
        """Images with pixels in [0, 1]; not squashed: points."""
        if self.num_classes:
            noise = _beside(noise, label, self.num_classes, self.label_size)
        numbers = MLP(self.hidden_sizes, math.prod(self.shape))(noise)
        numbers = jax.nn.sigmoid(numbers) if self.squashed else numbers
        return numbers.reshape(-1, *self.shape)


class MLPDiscriminator(nn.Module):
    """Images, or points, to one logit each, Eqs. (2) and (3)."""

    hidden_sizes: tuple[int, ...]
    dropout: float = 0.0
    waves: int = 0
    labels: Labels = "none"
    num_classes: int = 0
    label_size: int = 32

    @nn.compact
    def __call__(
        self,
        example: Float[Array, "B *shape"],
        dropout_keys=None,
        label: Int[Array, " B"] | None = None,
    ) -> Float[Array, " B"]:
        """The logit that an example is real, of its class; dropout_keys (B,) switch dropout on."""
        numbers = with_waves(example.reshape(example.shape[0], -1), self.waves)
        if self.labels == "embedding":
            numbers = _beside(numbers, label, self.num_classes, self.label_size)
        mlp = MLP(self.hidden_sizes, 1, self.dropout, with_features=True)
        logits, features = mlp(numbers, dropout_keys)
        if self.labels != "projection":
            return logits[:, 0]
        vector = ClassEmbedding(self.num_classes, features.shape[-1], no_class=False)(label)
        return gan_controls.projection_logit(features, vector, logits[:, 0])


def _beside(numbers, label, num_classes: int, size: int):
    """Numbers with their class's embedding, which is as large as noise to begin with."""
    embedding = ClassEmbedding(num_classes, size, no_class=False, deviation=1.0, name="label")
    return jnp.concatenate([numbers, embedding(label)], axis=-1)
