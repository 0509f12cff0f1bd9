"""The tables of a DCGAN and of a GAN of points against a walk over the jaxpr of the real step."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from jaxgen.costs.walk.count import count
from jaxgen.data import ImageSpec
from jaxgen.data.points.kind import PointSpec
from jaxgen.data.points.mixtures import ring
from jaxgen.families.gan.family import GAN, PointGAN
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig

IMAGES = GAN(batch_size=6, model=DCGANConfig(7, (5, 11)))
POINTS = PointGAN(batch_size=6, model=MLPGANConfig(3, (7, 11), (13, 5), output="numbers", waves=2))
LARGE = ImageSpec(8, 12, 3, 10)
CASES = {
    "as it is": {},
    "without norms": {
        "model": replace(IMAGES.model, generator_norm="none", discriminator_norm="none")
    },
    "one convolution, odd kernel": {"model": DCGANConfig(7, (5,), kernel_size=3)},
    "packs, averaged": {"pack": 2, "ema_decay": 0.9},
    "two updates, least squares": {"discriminator_steps": 2, "loss": "least-squares"},
    "hinge, spectral norms": {
        "loss": "hinge",
        "spectral_norm": True,
        "model": replace(IMAGES.model, discriminator_norm="none"),
    },
    "slopes": {
        "r1": 1.0,
        "loss": "wasserstein-gp",
        "model": replace(IMAGES.model, discriminator_norm="none"),
    },
    "changes": {"augment": ("color", "translation", "cutout")},
    "clipped": {"loss": "gan.wasserstein-critic-loss:as-printed"},
    "a plane of the class": {"model": replace(IMAGES.model, labels="embedding", label_size=3)},
    "a product with the class": {
        "model": replace(IMAGES.model, labels="projection", label_size=3),
        "spectral_norm": True,
        "discriminator_steps": 2,
    },
}


DEEP = DCGANConfig(7, (2, 3, 5, 11), labels="projection", label_size=3)


def assert_equal(experiment, spec, name):
    task, table = experiment.build(spec), experiment.costs(spec)
    state = jax.eval_shape(task.init, jax.random.key(0))
    size = experiment.examples_per_step
    batch = {name: jax.ShapeDtypeStruct((size, *spec.shape), jnp.float32)}
    batch["label"] = jax.ShapeDtypeStruct((size,), jnp.int32)
    walked = count(task.step, state, batch)
    assert walked.matmul_flops == table.matmul_flops
    assert walked.uncounted == frozenset() and walked.notes == frozenset()
    assert table.parameters == sum(leaf.size for leaf in jax.tree.leaves(state.params))
    # The overlaps of patches are added to images of zeros, and norms are written in steps.
    assert 0.9 < walked.elementwise_flops / table.elementwise_flops < 1.8


@pytest.mark.parametrize("case", CASES)
def test_a_step_on_images_is_its_table(case):
    assert_equal(replace(IMAGES, **CASES[case]), LARGE, "image")


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"pack": 3}, {"r1": 1.0}, {"loss": "wasserstein-gp"}, {"spectral_norm": True},
        {"noise_start": 1.0, "noise_penalty": 1.0, "r1": 1.0, "pack": 2, "discriminator_steps": 2},
        {"model": replace(POINTS.model, labels="embedding", label_size=17), "r1": 1.0,
         "spectral_norm": True},
        {"model": replace(POINTS.model, labels="projection", label_size=17),
         "loss": "wasserstein-gp", "discriminator_steps": 2},
    ],
)  # fmt: skip
def test_a_step_on_points_is_its_table(fields):
    assert_equal(replace(POINTS, **fields), PointSpec(2, ring()), "point")


def test_a_step_on_images_of_64_by_64_is_its_table():
    """Four convolutions, as it was published; of 32 by 32 there are three."""
    assert_equal(replace(IMAGES, model=DEEP), ImageSpec(64, 64, 3, 10), "image")
