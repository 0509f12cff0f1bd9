"""Held-out judgement of a diffusion model: its bound, its samples, the class that it would say.

`loss` is the bound of `equations.diffusion_losses`, Eqs. (6) to (8), in nats an example. On points its
distance from what the exact denoiser has on the same draws is the `regret`.

In the catalogue: `diffusion.process`, `diffusion.bound`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.equations import diffusion, diffusion_losses
from jaxgen.equations.diffusion_samplers import evaluations
from jaxgen.equations.diffusion_schedules import Level, Schedule, rates, time_of
from jaxgen.families.batches import in_batches
from jaxgen.families.classes import labels_for
from jaxgen.families.diffusion.denoiser import Denoiser, lattice_levels
from jaxgen.families.diffusion.objective import as_rows, draw_times, weight_at
from jaxgen.families.judge import as_asked
from jaxgen.metrics.frechet import frechet_distance
from jaxgen.metrics.modes import mode_metrics

MAX_PIXELS = 1024
"""Pixels of an image beyond which the Fréchet distance of raw pixels has no room, or no meaning."""
BATCH = 360
"""Images whose bound is found at once."""


def make_bound(
    settings: Any, denoiser: Denoiser, schedule: Schedule, levels: int, num_draws: int
) -> Callable:
    """`bound(params, x (B, X), label, key) -> (B,)` nats: Eqs. (6) to (8), λ in num_draws strata.

    Each example draws a place in every stratum and noise of its own; with one key those are the same
    under any label, so that differences between classes have less variance.
    """
    low, high = settings.log_snr_min, settings.log_snr_max

    def at(log_snr, count) -> Level:
        return schedule(time_of(schedule, jnp.broadcast_to(log_snr, (count,))))

    @jax.jit
    def bound(params, x, label, key):
        first_key, place_key, key = jax.random.split(key, 3)
        count, _size = x.shape
        last, first = at(low, count), at(high, count)
        z = diffusion.noised(x, jax.random.normal(first_key, x.shape), *first)
        start = _decoded(denoiser, params, x, z, first, label, levels)
        shift = jax.random.uniform(place_key, (count,))

        def rate(i):
            level = at(low + (high - low) * (i + shift) / num_draws, count)
            z = diffusion.noised(x, jax.random.normal(jax.random.fold_in(key, i), x.shape), *level)
            error = diffusion_losses.squared_error(x, denoiser(params, z, level, label))
            return diffusion_losses.bound_rate(error, *level)

        middle = (high - low) * jax.lax.map(rate, jnp.arange(num_draws)).mean(0)
        size_of_last = jnp.sqrt(jnp.square(last.alpha) + jnp.square(last.sigma))
        prior = diffusion_losses.prior_nats(x, *(part / size_of_last for part in last))
        return prior + start + middle

    return bound


def _decoded(denoiser, params, x, z, level, label, levels) -> Float[Array, " B"]:
    """−log p(x|z_0): of levels by the network's own lattice, or by VDM's; of real numbers a density."""
    if not levels:
        return diffusion_losses.gaussian_reconstruction_nats(x, z, *level)
    values, index = lattice_levels(levels), jnp.round((x + 1) * (levels - 1) / 2)
    logits = jnp.zeros((*x.shape, levels))
    if denoiser.prediction == "lattice":
        logits, z, level = denoiser.outputs(params, z, level, label)
    return diffusion_losses.lattice_reconstruction_nats(logits, index, z, values, *level)


def make_image_evaluation(
    settings: Any,
    denoiser: Denoiser,
    schedule: Schedule,
    draw: Callable,
    judge: Callable | None,
) -> Callable:
    """`evaluate(weights, dataset)`: bound, samples and classes, always with the same keys.

    `loss` in nats and `bits_per_dim`; `pixel_frechet` of `judge_samples` images to the held-out ones.
    Where classes are known, `generative_accuracy`, the share of images whose class has the lowest bound.
    With a judge, (images -> features, logits): `frechet` of its features, `as_asked`, the share of
    samples that it reads as the class asked for, and `worst_class` of these, each with the run's name.
    """

    def evaluate(weights, dataset) -> dict[str, float]:
        levels, params = dataset.levels + 1 if dataset.levels > 1 else 0, weights.params
        count = min(dataset.num_examples, settings.judge_examples)
        batch = dataset.take(dataset.arrays, np.arange(count))
        x, label = as_rows(batch, "image"), batch.get("label")
        bound = make_bound(settings, denoiser, schedule, levels, settings.judge_draws)
        nats = _bounds(bound, params, x, label if denoiser.num_classes else None)
        metrics = {"loss": float(nats.mean())}
        if levels:
            metrics["bits_per_dim"] = float(nats.mean()) / (x.shape[1] * np.log(2))
        if denoiser.num_classes:
            each = [
                _bounds(bound, params, x, np.full(count, c, np.int32))
                for c in range(denoiser.num_classes)
            ]
            metrics["generative_accuracy"] = float(np.mean(np.argmin(each, 0) == label))
        asked = labels_for(settings.judge_samples, denoiser.num_classes, -1)
        keys = jax.random.split(jax.random.key(0), settings.judge_samples)
        drawn = np.asarray(draw(params, keys, asked))
        return metrics | image_metrics(drawn, asked, dataset, judge, settings.judge.run)

    return evaluate


def image_metrics(
    drawn: np.ndarray, asked: Any, dataset: Any, judge: Callable | None, run: str
) -> dict[str, float]:
    """`pixel_frechet` of drawn rows to the held-out images, and what a judge says, by its run's name."""
    metrics, images = {}, np.clip((drawn + 1) / 2, 0, 1)
    held_out = dataset.take(dataset.arrays, np.arange(dataset.num_examples))["image"]
    if drawn.shape[1] <= MAX_PIXELS and dataset.num_examples > 1:
        metrics["pixel_frechet"] = frechet_distance(held_out.reshape(len(held_out), -1), images)
    if judge is not None:
        images = images.reshape(-1, *held_out.shape[1:])
        own = judged(judge, images, held_out, None if asked is None else np.asarray(asked))
        metrics |= {f"{name}[{run}]": value for name, value in own.items()}
    return metrics


def judged(judge: Callable, images, held_out, asked) -> dict[str, float]:
    """What a trained classifier makes of images: how far their features are, which classes it reads."""
    features, logits = judge(images)
    metrics = {"frechet": frechet_distance(judge(held_out)[0], features)}
    return metrics if asked is None else metrics | as_asked(logits, asked)


def _bounds(bound: Callable, params, x, label) -> np.ndarray:
    """The bound of every example, BATCH at a time with one key each batch."""

    def of_places(places):
        own = None if label is None else label[places]
        return bound(params, x[places], own, jax.random.key(places[0]))

    return np.asarray(in_batches(of_places, len(x), BATCH), np.float64)


def make_point_evaluation(
    settings: Any,
    denoiser: Denoiser,
    schedule: Schedule,
    draw: Callable,
    mixture: Any,
    exact: Callable,
) -> Callable:
    """`evaluate(weights, dataset)`: `loss` and `regret` on held-out points, and `modes` of samples.

    The loss is the training loss, at `judge_draws` draws of noise for each of `judge_examples` points,
    the regret its distance from the exact denoiser's on the same draws.
    """
    count = settings.judge_examples

    @jax.jit
    def both(params, x, key):
        time_key, noise_key = jax.random.split(key)
        t, inverse = draw_times(settings, schedule, jax.random.uniform(time_key, (count,)))
        level, rate = rates(schedule, t)
        z = diffusion.noised(x, jax.random.normal(noise_key, x.shape), *level)
        weight = weight_at(settings, level, rate, inverse)
        label = None
        if denoiser.num_classes is not None:
            label = jnp.full(count, denoiser.num_classes)
        found = (denoiser(params, z, level, label), exact(z, level))
        return [(weight * diffusion_losses.squared_error(x, each)).mean() for each in found]

    def evaluate(weights, dataset) -> dict[str, float]:
        x = as_rows(dataset.take(dataset.arrays, np.arange(count)), "point")
        keys = jax.random.split(jax.random.key(1), settings.judge_draws)
        losses = np.asarray([both(weights.params, x, key) for key in keys], np.float64)
        model, best = losses.mean(0)
        keys = jax.random.split(jax.random.key(0), settings.judge_samples)
        label = labels_for(settings.judge_samples, denoiser.num_classes, -1)
        points = np.asarray(draw(weights.params, keys, label))
        found = mode_metrics(points, np.asarray(mixture.centres), mixture.deviation)
        sampling = settings.sampling
        return {
            "loss": float(model), "regret": float(model - best), **found,
            "evaluations": float(evaluations(sampling.sampler, sampling.num_steps)),
        }  # fmt: skip

    return evaluate
