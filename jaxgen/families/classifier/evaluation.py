"""Held-out cross-entropy and accuracy of a classifier, every image once.

In the catalogue: `lm.cross-entropy`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import numpy as np

from jaxgen.families.batches import in_batches
from jaxgen.families.classifier.objective import ONE_CLASS, Reading


def make_classifier_evaluation(
    model: nn.Module, batch_size: int = 500, reading: Reading = ONE_CLASS
) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: `loss` in nats per image, `accuracy` as a share.

    Over all held-out images as they are, batch_size at a time.
    """

    @jax.jit
    def judge(params, image, answers):
        logits = model.apply({"params": params}, image)
        return reading.nats(logits, answers), reading.right(logits, answers)

    def evaluate(weights, dataset) -> dict[str, float]:
        def of_places(places):
            batch = dataset.take(dataset.arrays, places)
            return judge(weights.params, batch["image"], batch[reading.name])

        found = in_batches(of_places, dataset.num_examples, batch_size)
        nats, right = (np.asarray(each, np.float64) for each in found)
        return {"loss": float(nats.mean()), "accuracy": float(right.mean())}

    return evaluate
