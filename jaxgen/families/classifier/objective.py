"""A classifier of images with cross-entropy, on images that are mirrored and moved at random.

Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1:
each step sees an image as it is or mirrored, moved by a few pixels.

In the catalogue: `lm.cross-entropy`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxgen.equations import language
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def make_classifier_loss(model: nn.Module, *, flip: bool, shift: int) -> Callable:
    """`loss(params, extra, batch, keys)`: nats of batch['label'] given batch['image'].

    The model makes logits (B, V) of images and keys for its dropout. Beside the loss its metrics have
    the accuracy, both on images as `augmented` leaves them.
    """

    def loss(params, extra, batch, keys):
        image_keys, dropout_keys = split_each(keys, 2)
        image = augmented(batch["image"], image_keys, flip=flip, shift=shift)
        logits = model.apply({"params": params}, image, dropout_keys)
        nats = language.cross_entropy(logits, batch["label"])
        metrics = {"loss": nats, "accuracy": is_right(logits, batch["label"])}
        return nats.mean(), Aux({name: Mean.of(values) for name, values in metrics.items()}, extra)

    return loss


def augmented(
    image: Float[Array, "B height width C"], keys, *, flip: bool, shift: int
) -> Float[Array, "B height width C"]:
    """Each image by its own key (B,).

    flip: mirrored left to right with probability 1/2. shift: moved along each axis by -shift .. shift
    pixels, all alike probable; zeros come in.
    """

    def draw(image, key):
        flip_key, shift_key = jax.random.split(key)
        if flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        if shift:
            around = jnp.pad(image, ((shift, shift), (shift, shift), (0, 0)))
            row, column = jax.random.randint(shift_key, (2,), 0, 2 * shift + 1)
            image = lax.dynamic_slice(around, (row, column, 0), image.shape)
        return image

    return jax.vmap(draw)(image, keys) if flip or shift else image


def is_right(logits: Float[Array, "B V"], label) -> Float[Array, " B"]:
    """1 where the greatest logit is the label's, else 0."""
    return (jnp.argmax(logits, axis=-1) == label).astype(logits.dtype)
