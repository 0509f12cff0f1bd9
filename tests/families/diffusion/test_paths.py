"""The way of samples from noise to data, where it is known, and that it ends at the samples."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import imread

from jaxgen.equations.diffusion_schedules import SCHEDULES
from jaxgen.experiments.registry import find_preset
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.denoiser import Denoiser
from jaxgen.families.diffusion.family import PointDiffusion
from jaxgen.families.diffusion.module import Network
from jaxgen.families.diffusion.sampling import make_paths, make_sampler
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig

D, X = 0.5, 3  # the deviation of Gaussian data, its numbers


@dataclass(frozen=True)
class Exact:
    """E[x | z] = α D² / (α² D² + σ²) z for data from N(0, D²), no class of flax's."""

    def apply(self, variables, z, log_snr, label=None, dropout_keys=None):
        alpha2 = jax.nn.sigmoid(log_snr)[:, None]  # z is given divided by sqrt(α² D² + σ²)
        return jnp.sqrt(alpha2) * D**2 / jnp.sqrt(alpha2 * D**2 + 1 - alpha2) * z


def test_a_path_of_gaussian_data_only_shrinks():
    """The flow keeps each number's place among all: z / sqrt(α² D² + σ²) stays what it was."""
    assert isinstance(Exact(), Network)
    settings = PointDiffusion(
        log_snr_min=-16.0, log_snr_max=12.0, sampling=DiffusionSampling(num_steps=60, show="paths")
    )
    denoiser = Denoiser(Exact(), "x", D, 0, None)
    keys = jax.random.split(jax.random.key(0), 7)
    paths = make_paths(settings, denoiser, SCHEDULES[settings.schedule], X)({}, keys, None)
    draw = make_sampler(settings, denoiser, SCHEDULES[settings.schedule], X)
    assert [title for title, _ in paths][:: len(paths) - 1] == ["σ = 1.00", "σ = 0.00"]
    assert len(paths) == 5  # whatever their titles
    first = np.asarray(paths[0][1], np.float64)
    for title, z in paths:
        sigma = float(title[4:])
        size = np.sqrt((1 - sigma**2) * D**2 + sigma**2)
        # Titles have two digits, and 60 steps are not infinitely many.
        np.testing.assert_allclose(np.asarray(z) / size, first, rtol=0.03)
    np.testing.assert_allclose(paths[-1][1], draw({}, keys, None), rtol=1e-5)


def test_images_are_shown_a_row_each(tmp_path):
    preset = find_preset("diffusion-digits").experiment
    experiment = replace(
        preset, model=MLPDenoiserConfig(1, 8, 8, waves=2), prediction="x", levels=0, label_dropout=None,
        sampling=DiffusionSampling(count=4, num_steps=10, show="paths"),
    )  # fmt: skip
    task = experiment.build(experiment.load().spec)
    weights = jax.jit(task.init)(jax.random.key(0))
    height, width = imread(task.sample(weights, jax.random.key(1), tmp_path / "paths")).shape[:2]
    assert width == pytest.approx(height * 5 / 4, rel=0.02)
