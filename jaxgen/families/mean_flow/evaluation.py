"""Held-out judgement of a mean flow: its own error at fixed draws, and its samples.

`loss` is the squared error of U, undivided, summed over an example's numbers; a part of it no network
can take away, the variance of the velocity at a place.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.families.classes import labels_for
from jaxgen.families.diffusion.evaluation import image_metrics
from jaxgen.metrics.modes import mode_metrics

BATCH = 2500
"""Examples whose error is found at once."""


def make_evaluation(
    settings: Any, loss: Callable, draw: Callable, of_samples: Callable, num_classes: int | None
) -> Callable:
    """`evaluate(weights, dataset)`: `loss`, and what `of_samples(samples, labels, dataset)` finds.

    Always with the same keys; `evaluations` of the network for a sample are told beside.
    """
    held_out_loss = jax.jit(loss)

    def evaluate(weights, dataset) -> dict[str, float]:
        count, errors = min(dataset.num_examples, settings.judge_examples), []
        keys = jax.random.split(jax.random.key(1), count)
        for first in range(0, count, BATCH):
            places = np.arange(first, min(first + BATCH, count))
            batch = dataset.take(dataset.arrays, places)
            aux = held_out_loss(weights.params, None, batch, keys[places])[1]
            errors.append([float(part) for part in aux.metrics["error"]])
        total, number = np.sum(errors, axis=0)
        asked = labels_for(settings.judge_samples, num_classes, -1)
        keys = jax.random.split(jax.random.key(0), settings.judge_samples)
        samples = np.asarray(draw(weights.params, keys, asked))
        found = {"loss": float(total / number)}
        found |= of_samples(samples, asked, dataset)
        return found | {"evaluations": float(settings.sampling.num_steps)}

    return evaluate


def of_points(mixture: Any) -> Callable:
    """Modes, see `metrics/modes.py`."""

    def found(samples, asked, dataset) -> dict[str, float]:
        return mode_metrics(samples, np.asarray(mixture.centres), mixture.deviation)

    return found


def of_images(judge: Callable | None, run: str) -> Callable:
    """As of a diffusion model's samples."""

    def found(samples, asked, dataset) -> dict[str, float]:
        return image_metrics(samples, asked, dataset, judge, run)

    return found
