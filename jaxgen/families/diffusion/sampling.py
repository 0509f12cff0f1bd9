"""Samples of a diffusion model, as `--sampling` asks for them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgen.equations import diffusion_samplers
from jaxgen.equations.diffusion_schedules import Schedule, spaced
from jaxgen.families.batches import in_batches
from jaxgen.families.diffusion.denoiser import Denoiser

CHUNK = 500
"""Samples drawn at once; each depends on its own key alone, so that the number does not matter."""


def _times(settings: Any, schedule: Schedule) -> Float[Array, " T"]:
    sampling = settings.sampling
    span = (settings.log_snr_min, settings.log_snr_max)
    return spaced(schedule, sampling.num_steps, sampling.spacing, span)


def _make_flow(settings: Any, denoiser: Denoiser, schedule: Schedule, size: int, *, path: bool):
    """`flow(params, keys, label)`: samples (B, X), or with `path` their way (steps + 1, B, X)."""
    sampling = settings.sampling

    def flow(params, keys, label):
        interval = (sampling.guidance_from, sampling.guidance_to)
        denoise = denoiser.guided(params, label, sampling.guidance, interval)
        return diffusion_samplers.sample(
            denoise, schedule, _times(settings, schedule), keys, size, sampling.sampler,
            eta=sampling.eta, churn=sampling.churn, path=path,
        )  # fmt: skip

    return flow


def make_sampler(settings: Any, denoiser: Denoiser, schedule: Schedule, size: int):
    """`draw(params, keys (B,), labels (B,) or None) -> (B, X)` by the settings' own `sampling`.

    A label of num_classes is no class.
    """
    draw_chunk = jax.jit(_make_flow(settings, denoiser, schedule, size, path=False))

    def draw(params, keys, label: Int[Array, " B"] | None) -> Float[Array, "B X"]:
        def of_places(places):
            return draw_chunk(params, keys[places], None if label is None else label[places])

        return in_batches(of_places, keys.shape[0], CHUNK)

    return draw


PATH = (0.0, 0.65, 0.7, 0.8, 1.0)
"""Of all steps, those behind which a path is shown: late, where a sample comes to be."""


def make_paths(settings: Any, denoiser: Denoiser, schedule: Schedule, size: int):
    """`paths(params, keys (B,), labels) -> [(title, (B, X))]`: what `make_sampler` draws, on its way.

    A title tells the noise that is left, σ. Each is scaled to the size of data by α² + σ² = 1.
    """
    flow = _make_flow(settings, denoiser, schedule, size, path=True)
    places = np.unique([round(share * settings.sampling.num_steps) for share in PATH])

    @jax.jit
    def draw_chunk(params, keys, label):
        alpha, sigma = schedule(_times(settings, schedule))
        way = flow(params, keys, label) / jnp.sqrt(alpha**2 + sigma**2)[:, None, None]
        return jnp.moveaxis(way[places], 0, 1)

    def paths(
        params, keys, label: Int[Array, " B"] | None
    ) -> list[tuple[str, Float[Array, "B X"]]]:
        def of_places(chosen):
            return draw_chunk(params, keys[chosen], None if label is None else label[chosen])

        shown = in_batches(of_places, keys.shape[0], CHUNK)
        times = _times(settings, schedule)
        alpha, sigma = schedule(times)
        left = jnp.where(times == 0, 0.0, sigma / jnp.sqrt(alpha**2 + sigma**2))[places]
        return [(f"σ = {each:.2f}", shown[:, i]) for i, each in enumerate(left.tolist())]

    return paths
