"""A classifier of images with cross-entropy, on images that are mirrored and moved at random.

Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1:
each step sees an image as it is or mirrored, moved by a few pixels.

In the catalogue: `lm.cross-entropy`.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxgen.equations import language
from jaxgen.families.classifier.module import Classifier
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


class Reading(NamedTuple):
    """What the logits are of.

    Attributes:
      name: of the batch's array that has the right answers. nats: (logits, answers) -> (B,).
      right: (logits, answers) -> (B,), 1 where the likeliest answer, or each of them, is right.
    """

    name: str
    nats: Callable
    right: Callable


def make_classifier_loss(
    model: Classifier, *, flip: bool, shift: int, reading: Reading | None = None
) -> Callable:
    """`loss(params, extra, batch, keys)`: nats of what is to be read off batch['image'].

    Beside the loss its metrics have the accuracy, both on images as `augmented` leaves them.
    """
    reading = reading or ONE_CLASS

    def loss(params, extra, batch, keys):
        image_keys, dropout_keys = split_each(keys, 2)
        image = augmented(batch["image"], image_keys, flip=flip, shift=shift)
        logits = model.apply({"params": params}, image, dropout_keys)
        answers = batch[reading.name]
        nats = reading.nats(logits, answers)
        metrics = {"loss": nats, "accuracy": reading.right(logits, answers)}
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


ONE_CLASS = Reading("label", language.cross_entropy, is_right)
"""One label an image."""


def of_attributes(sizes: Sequence[int]) -> Reading:
    """Several labels an image, each with its own logits, side by side; of `sizes` values.

    Their nats are added, as those of independent answers; all of them have to be right.
    """
    ends = [0, *accumulate(sizes)]

    def parts(logits, answers):
        pairs = pairwise(ends)
        return [(logits[:, low:high], answers[:, i]) for i, (low, high) in enumerate(pairs)]

    def nats(logits, answers):
        return sum(language.cross_entropy(*part) for part in parts(logits, answers))

    def right(logits, answers):
        return jnp.stack([is_right(*part) for part in parts(logits, answers)]).min(0)

    return Reading("attributes", nats, right)
