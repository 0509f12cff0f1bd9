"""Samples of a diffusion model, as `--sampling` asks for them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import diffusion_samplers
from jaxgen.equations.diffusion_schedules import Schedule, spaced
from jaxgen.families.batches import in_batches
from jaxgen.families.diffusion.denoiser import Denoiser

CHUNK = 500
"""Samples drawn at once; each depends on its own key alone, so that the number does not matter."""


def make_sampler(settings: Any, denoiser: Denoiser, schedule: Schedule, size: int):
    """`draw(params, keys (B,), labels (B,) or None) -> (B, X)` by the settings' own `sampling`.

    A label of num_classes is no class.
    """
    sampling = settings.sampling
    span = (settings.log_snr_min, settings.log_snr_max)

    @jax.jit
    def draw_chunk(params, keys, label):
        times = spaced(schedule, sampling.num_steps, sampling.spacing, span)
        interval = (sampling.guidance_from, sampling.guidance_to)
        denoise = denoiser.guided(params, label, sampling.guidance, interval)
        return diffusion_samplers.sample(
            denoise, schedule, times, keys, size, sampling.sampler,
            eta=sampling.eta, churn=sampling.churn,
        )  # fmt: skip

    def draw(params, keys, label: Int[Array, " B"] | None) -> Float[Array, "B X"]:
        def of_places(places):
            return draw_chunk(params, keys[places], None if label is None else label[places])

        return in_batches(of_places, keys.shape[0], CHUNK)

    return draw


def labels_for(count: int, num_classes: int | None, label: int) -> Int[Array, " B"] | None:
    """The class asked for, or, for -1, all of them in turn; None without classes."""
    if num_classes is None:
        return None
    every = jnp.arange(count) % num_classes
    return every if label < 0 else jnp.full(count, label)
