"""Held-out cross-entropy and accuracy of a classifier, every image once.

In the catalogue: `lm.cross-entropy`.
"""

from collections.abc import Callable

import jax
import numpy as np

from jaxgen.families.classifier.module import Classifier
from jaxgen.families.classifier.objective import ONE_CLASS, Reading


def make_classifier_evaluation(
    model: Classifier, batch_size: int = 500, reading: Reading = ONE_CLASS
) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: `loss` in nats per image, `accuracy` as a share.

    Over all held-out images as they are, batch_size at a time.
    """

    @jax.jit
    def judge(params, image, answers):
        logits = model.apply({"params": params}, image)
        return reading.nats(logits, answers), reading.right(logits, answers)

    def evaluate(weights, dataset) -> dict[str, float]:
        count = dataset.num_examples
        size = min(batch_size, count)
        found = []
        for first in range(0, count, size):
            # The last batch repeats the last image, so that one program serves all; they are cut off.
            indices = np.minimum(np.arange(first, first + size), count - 1)
            batch = dataset.take(dataset.arrays, indices)
            found.append(np.stack(judge(weights.params, batch["image"], batch[reading.name])))
        nats, right = np.concatenate(found, axis=1)[:, :count].astype(np.float64)
        return {"loss": float(nats.mean()), "accuracy": float(right.mean())}

    return evaluate
