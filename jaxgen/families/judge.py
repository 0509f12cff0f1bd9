"""A trained classifier as a judge of images that another model draws; no jax at import.

A distance of features is comparable only under the same classifier: every metric is named with the run
that it comes from, as in `frechet[classifier-fashion]`, whose digest the experiment's config keeps.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.families.base import Trained

BATCH = 500
SURE = 0.9


def make_judge(classifier: Trained, run: str) -> Callable:
    """images -> (features, logits) of a trained classifier, in pieces.

    Raises UserError where the run is none of a classifier.
    """
    import jax

    own: Any = classifier.task.apply
    if not callable(own) or "method" not in inspect.signature(own).parameters:
        raise UserError(f"--judge.run {run} is no run of a classifier: name one that is.")
    apply = jax.jit(
        lambda image: (
            own(classifier.weights, image, method="features"),
            own(classifier.weights, image),
        )
    )

    def judge(images):
        parts = [apply(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        features, logits = zip(*parts, strict=True)
        return np.concatenate(features), np.concatenate(logits)

    return judge


def set_metrics(
    judge: Callable, run: str, drawn: Any, real: Any, train: Any, asked: Any = None
) -> dict[str, float]:
    """What a judge says of drawn images beside real ones, by the metric and the run's name.

    `frechet`, `kernel_distance`, `precision`, `recall`, `density`, `coverage` of its features against
    those of held-out images, with floors: the same two distances of training images from them.
    `inception_score` of its logits; `confident`, the share of which it is more than SURE; `rarest_class`
    and `commonest_class`, their shares as multiples of an even one. Of images of classes that were asked
    for, `as_asked` and `worst_class`, see there.

    Raises:
      UserError: there are no more images than features, and no covariance has an inverse.
    """
    from jaxgen.metrics.frechet import frechet_distance
    from jaxgen.metrics.inception_score import inception_score
    from jaxgen.metrics.kernel_distance import kernel_distance
    from jaxgen.metrics.neighbours import neighbour_metrics

    features, logits = judge(drawn)
    of_real, of_train = judge(real)[0], judge(train)[0]
    few, size = min(len(features), len(of_real), len(of_train)), features.shape[1]
    if few <= size:
        raise UserError(
            f"A Fréchet distance of {size} features needs more than {size} images on each side, and "
            f"there are {few}: give --judge-samples {size + 1} or more, and as many held-out images."
        )
    found = {
        "frechet": frechet_distance(of_real, features),
        "frechet_floor": frechet_distance(of_real, of_train),
        "kernel_distance": kernel_distance(of_real, features),
        "kernel_distance_floor": kernel_distance(of_real, of_train),
        "inception_score": inception_score(logits),
        **neighbour_metrics(of_real, features),
        **_class_metrics(logits),
        **({} if asked is None else as_asked(logits, asked)),
    }
    return {f"{name}[{run}]": value for name, value in found.items()}


def as_asked(logits: np.ndarray, asked: np.ndarray) -> dict[str, float]:
    """`as_asked`, the share of images that are read as the class asked for; `worst_class` of these."""
    right = logits.argmax(1) == asked
    classes = [right[asked == own].mean() for own in np.unique(asked)]
    return {"as_asked": float(right.mean()), "worst_class": float(min(classes))}


def _class_metrics(logits: np.ndarray) -> dict[str, float]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    greatest = 1.0 / shifted.sum(1)
    shares = np.bincount(logits.argmax(1), minlength=logits.shape[1]) / len(logits)
    return {
        "confident": float((greatest > SURE).mean()),
        "rarest_class": float(shares.min() * logits.shape[1]),
        "commonest_class": float(shares.max() * logits.shape[1]),
    }
