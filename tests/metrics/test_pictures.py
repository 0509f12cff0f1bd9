"""Images are the model's image of the same noise, and the file shows them pixel for pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import special

from jaxgen.families.gan.sampling import sample_gan
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.sampling import sample_vae
from jaxgen.metrics.pictures import save_grid
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig

SHAPE, COUNT, Z = (2, 3, 1), 5, 4
KEY = jax.random.key(6)


def numpy_mlp(x, layers):
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), layers)
    hidden = np.maximum(x @ wide["Dense_0"]["kernel"] + wide["Dense_0"]["bias"], 0)
    return hidden @ wide["Dense_1"]["kernel"] + wide["Dense_1"]["bias"]


def noise():
    return np.asarray(jax.random.normal(KEY, (COUNT, Z)), np.float64)


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
def test_a_vae_shows_the_mean_of_its_decoder(random_params, decoder):
    """A probability, or a Gaussian's mean within the greys that there are."""
    name, outputs = {"bernoulli": ("bernoulli", 1), "gaussian": ("gaussian-pixel", 2)}[decoder]
    model = MLPVAEConfig((7,), Z).make(SHAPE, outputs)
    params = random_params(model, jnp.zeros((1, *SHAPE)))
    features = numpy_mlp(noise(), params["decoder"])
    mean = special.expit(features) if outputs == 1 else np.clip(features[:, ::2], 0, 1)
    assert np.any((mean > 0) & (mean < 1))
    images = sample_vae(model, params, KEY, COUNT, Likelihood(name))
    np.testing.assert_allclose(images, mean.reshape(COUNT, *SHAPE), atol=1e-6)


def test_a_gan_shows_what_it_generates(random_params):
    model, _ = MLPGANConfig(Z, (7,), (11,)).make(SHAPE)
    params = random_params(model, jnp.zeros((1, Z)))
    expected = special.expit(numpy_mlp(noise(), params["MLP_0"])).reshape(COUNT, *SHAPE)

    def apply(params, noise):
        return model.apply({"params": params}, noise)

    np.testing.assert_allclose(sample_gan(apply, params, KEY, COUNT, Z), expected, atol=1e-6)


@pytest.mark.parametrize("C", [1, 3])
def test_the_grid_pixel_for_pixel(tmp_path, C):
    """Five images 2x3 in three columns, with a white line after each, enlarged 53 times.

    The sixth place is black. jax.image is the other implementation of Keys' cubic; a level may differ
    by one where the two round differently.
    """
    levels = np.random.default_rng(0).integers(0, 256, (COUNT, 2, 3, C))
    images = jnp.asarray((levels + 0.4 * (levels < 255)) / 255, jnp.float32)
    large = jax.image.resize(images, (COUNT, 2 * 53, 3 * 53, C), "cubic", antialias=False)
    large = np.clip(np.asarray(large), 0, 1) * 255
    expected = np.full((2 * 107, 3 * 160, 3), 255.0)
    for i in range(6):
        top, left = i // 3 * 107, i % 3 * 160
        expected[top : top + 106, left : left + 159] = large[i] if i < COUNT else 0
    path = save_grid(images, tmp_path / "step.7")
    assert path == tmp_path / "step.7.png"
    found = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)


def test_a_large_grid_is_not_enlarged_and_rounds_to_the_nearest_level(tmp_path):
    images = jnp.full((1, 5, 700, 1), 3 / 16)  # 47.8 of 255
    found = np.asarray(Image.open(save_grid(images, tmp_path / "one")).convert("L"))
    assert found.shape == (6, 701)
    np.testing.assert_array_equal(found[:5, :700], 48)
    assert set(found[5].tolist()) | set(found[:, 700].tolist()) == {255}
