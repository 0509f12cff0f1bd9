"""Held-out judgement of a mean flow: its own error at fixed draws, and its samples.

`loss` is the squared error of U, undivided, summed over an example's numbers; a part of it no network
can take away, the variance of the velocity at a place.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.families.diffusion.evaluation import judged
from jaxgen.families.diffusion.sampling import labels_for
from jaxgen.metrics.frechet import frechet_distance
from jaxgen.metrics.modes import mode_metrics

MAX_PIXELS = 1024
"""Pixels of an image beyond which the Fréchet distance of raw pixels has no room, or no meaning."""


def make_evaluation(
    settings: Any, loss: Callable, draw: Callable, of_samples: Callable, num_classes: int | None
) -> Callable:
    """`evaluate(weights, dataset)`: `loss`, and what `of_samples(samples, labels, dataset)` finds.

    Always with the same keys; `evaluations` of the network for a sample are told beside.
    """
    held_out_loss = jax.jit(loss)

    def evaluate(weights, dataset) -> dict[str, float]:
        places = np.arange(min(dataset.num_examples, settings.judge_examples))
        batch = dataset.take(dataset.arrays, places)
        keys = jax.random.split(jax.random.key(1), len(places))
        error = held_out_loss(weights.params, None, batch, keys)[1].metrics["error"]
        asked = labels_for(settings.judge_samples, num_classes, -1)
        keys = jax.random.split(jax.random.key(0), settings.judge_samples)
        samples = np.asarray(draw(weights.params, keys, asked))
        found = {"loss": float(error.total / error.count)}
        found |= of_samples(samples, asked, dataset)
        return found | {"evaluations": float(settings.sampling.num_steps)}

    return evaluate


def of_points(mixture: Any) -> Callable:
    """Modes, see `metrics/modes.py`."""

    def found(samples, asked, dataset) -> dict[str, float]:
        return mode_metrics(samples, np.asarray(mixture.centres), mixture.deviation)

    return found


def of_images(judge: Callable | None, run: str) -> Callable:
    """`pixel_frechet` to the held-out images; and what a judge makes of samples, by its run's name."""

    def found(samples, asked, dataset) -> dict[str, float]:
        metrics, images = {}, np.clip((samples + 1) / 2, 0, 1)
        held_out = dataset.take(dataset.arrays, np.arange(dataset.num_examples))["image"]
        if samples.shape[1] <= MAX_PIXELS and dataset.num_examples > 1:
            metrics["pixel_frechet"] = frechet_distance(held_out.reshape(len(held_out), -1), images)
        if judge is not None:
            images = images.reshape(-1, *held_out.shape[1:])
            own = judged(judge, images, held_out, None if asked is None else np.asarray(asked))
            metrics |= {f"{name}[{run}]": value for name, value in own.items()}
        return metrics

    return found
