"""Diffusion's loss: a weighted |x − x̂|² at noise that is drawn anew for each example.

Kingma et al. 2021, https://arxiv.org/abs/2107.00630, and the weights of `equations.diffusion_losses`.

In the catalogue: `diffusion.process`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import diffusion, diffusion_losses
from jaxgen.equations.diffusion_schedules import Level, Schedule, rates, time_of
from jaxgen.families.diffusion.denoiser import Denoiser
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def as_rows(batch: Mapping[str, Any], name: str) -> Float[Array, "B X"]:
    """The examples as rows; pixels in [0, 1] become numbers in [-1, 1], points stay as they are."""
    x = jnp.asarray(batch[name]).reshape(len(batch[name]), -1)
    return 2 * x - 1 if name == "image" else x


def draw_times(settings: Any, schedule: Schedule, uniform: Float[Array, " B"]) -> tuple:
    """(t, 1 / density of λ at t) of uniform numbers, as --times has it, λ within its range."""
    low, high = settings.log_snr_min, settings.log_snr_max
    if settings.times == "log-snr":
        wanted = low + (high - low) * uniform
        return time_of(schedule, wanted), jnp.full_like(uniform, high - low)
    if settings.times == "normal":
        mean, deviation = settings.log_snr_mean, settings.log_snr_deviation
        normal = jax.scipy.special.ndtri(jnp.clip(uniform, 1e-6, 1 - 1e-6))
        wanted = jnp.clip(mean + deviation * normal, low, high)
        density = jnp.exp(-0.5 * jnp.square((wanted - mean) / deviation))
        return time_of(schedule, wanted), deviation * math.sqrt(2 * math.pi) / density
    ends = time_of(schedule, jnp.asarray([low, high]))
    t = ends[1] + (ends[0] - ends[1]) * uniform
    level, rate = rates(schedule, t)
    slope = 2 * (rate.sigma / level.sigma - rate.alpha / level.alpha)  # −dλ/dt
    return t, slope * (ends[0] - ends[1])


def make_diffusion_loss(
    settings: Any, denoiser: Denoiser, schedule: Schedule, name: str, exact: Callable | None = None
) -> Callable:
    """`loss(params, extra, batch, keys)` per example, summed over its numbers.

    Args:
      settings: the experiment, whose fields say how time is drawn and errors are weighed.
      name: of the batch's examples. exact: (z, level) -> E[x | z] where it is known; the metric `regret`
        is then the loss minus what that would have had on the same draws.
    """

    def loss(params, extra, batch, keys):
        time_keys, noise_keys, drop_keys = split_each(keys, 3)
        x = as_rows(batch, name)
        t, inverse_density = draw_times(settings, schedule, jax.vmap(jax.random.uniform)(time_keys))
        level, rate = rates(schedule, t)
        size = x.shape[1]
        noise = jax.vmap(lambda key: jax.random.normal(key, (size,)))(noise_keys)
        z = diffusion.noised(x, noise, *level)
        label = drop_labels(batch, drop_keys, denoiser.num_classes, settings.label_dropout)
        weight = weight_at(settings, level, rate, inverse_density)
        # Dropout folds each layer's name into the keys, so that no two draws are the same.
        own_keys = drop_keys if getattr(settings.model, "dropout", 0.0) else None
        estimate = denoiser(params, z, level, label, own_keys)
        values = weight * diffusion_losses.squared_error(x, estimate)
        metrics = {"loss": Mean.of(values)}
        if exact is not None:
            best = weight * diffusion_losses.squared_error(x, exact(z, level))
            metrics["regret"] = Mean.of(values - best)
        return values.mean(), Aux(metrics, extra)

    return loss


def weight_at(settings: Any, level: Level, rate: Level, inverse_density) -> Float[Array, " B"]:
    """The weight of the drawn error; one over λ is divided by the density of the draw."""
    weighting = settings.weighting
    weight = diffusion_losses.weight_of(weighting, level, rate, settings.data_deviation)
    return weight * inverse_density if weighting in diffusion_losses.OVER_LOG_SNR else weight


def drop_labels(batch: dict[str, Array], keys, num_classes: int | None, rate: float | None):
    """The labels, each replaced by `no class` with probability `rate`; None without classes."""
    if num_classes is None or rate is None:
        return None
    dropped = jax.vmap(lambda key: jax.random.bernoulli(key, rate))(keys)
    return jnp.where(dropped, num_classes, batch["label"])
