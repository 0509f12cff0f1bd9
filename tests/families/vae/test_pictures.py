"""Pictures of latents: what each shows, on a model whose decoder is a known line."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.vae import pictures
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.models.mlp_vae.config import MLPVAEConfig

SHAPE, Z = (2, 3, 1), 2
UP = np.asarray([[1.0, 0], [0, 2], [0, 0], [0, 0], [0, 0], [0, 0]], np.float32)  # codes: x₀, 2 x₁
DOWN = np.asarray([[0.1, 0, 0, 0, 0, 0.1], [0, 0.1, 0, 0, 0.1, 0]], np.float32)


@pytest.fixture(scope="module")
def net():
    """Latents are the first pixel and twice the second; both are seen again at two places each."""
    params = {
        "encoder": {"Dense_0": {
            "kernel": jnp.concatenate([UP, jnp.zeros((6, Z))], 1),
            "bias": jnp.asarray([0.0, 0, -1, -1]),
        }},
        "decoder": {"Dense_0": {"kernel": jnp.asarray(DOWN), "bias": jnp.full(6, 0.5)}},
    }  # fmt: skip
    return pictures.Net(MLPVAEConfig((), Z).make(SHAPE), Likelihood("gaussian-fixed"), params)


@pytest.fixture(scope="module")
def image():
    return jnp.asarray(np.random.default_rng(0).random((40, *SHAPE)), jnp.float32)


def decoded(latent):
    return np.clip(0.5 + np.asarray(latent) @ DOWN, 0, 1).reshape(-1, *SHAPE)


def test_reconstructions_stand_below_their_images(net, image):
    found = pictures.reconstructions(net, image)
    np.testing.assert_array_equal(found[:40], image)
    codes = image.reshape(40, 6) @ UP
    np.testing.assert_allclose(found[40:], decoded(codes), atol=1e-6)


def test_traversals_move_one_latent_each_the_one_that_says_most_first(net, image):
    found = pictures.traversals(net, image, columns=3).reshape(2, 3, 6)
    mean = np.asarray(image.reshape(40, 6) @ UP).mean(0)
    steps = np.asarray([-2.5, 0, 2.5])
    second = decoded(np.stack([np.full(3, mean[0]), steps], 1)).reshape(3, 6)
    np.testing.assert_allclose(found[0], second, atol=1e-6)  # twice a pixel is farther from N(0, 1)
    first = decoded(np.stack([steps, np.full(3, mean[1])], 1)).reshape(3, 6)
    np.testing.assert_allclose(found[1], first, atol=1e-6)


def test_an_interpolation_goes_from_one_image_s_code_to_the_other_s(net, image):
    found = pictures.interpolation(net, image[:4], columns=5).reshape(2, 5, 6)
    codes = np.asarray(image[:4].reshape(4, 6) @ UP)
    for row in range(2):
        for column, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
            expected = decoded((1 - share) * codes[row] + share * codes[2 + row])
            np.testing.assert_allclose(found[row, column], expected.ravel(), atol=1e-6)


def test_class_means_and_the_map(net, image):
    label = np.arange(40) % 3
    found, columns = pictures.class_means(net, image, label, jax.random.key(0))
    codes = np.asarray(image.reshape(40, 6) @ UP)
    assert found.shape[0] == 3 * columns
    for c in range(3):
        expected = decoded(codes[label == c].mean(0))
        np.testing.assert_allclose(found[c * columns], expected[0], atol=1e-6)
    with pytest.raises(UserError, match="needs data with labels"):
        pictures.class_means(net, image, None, jax.random.key(0))
    # The middle of the map is the mean code, its right end 2.5 deviations along the widest axis.
    grid = pictures.latent_map(net, image, side=3).reshape(3, 3, 6)
    np.testing.assert_allclose(grid[1, 1], decoded(codes.mean(0)).ravel(), atol=1e-6)
    values, axes = np.linalg.eigh(np.cov(codes.T, bias=True))
    ends = [codes.mean(0) + sign * 2.5 * np.sqrt(values[1]) * axes[:, 1] for sign in (1, -1)]
    assert min(np.abs(grid[1, 2] - decoded(end).ravel()).max() for end in ends) < 1e-5


def test_masks_by_name_and_from_files(tmp_path):
    by_hand = {
        "top": [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]],
        "left": [[1, 0, 0]] * 4,
        "right": [[0, 1, 1]] * 4,
        "centre": [[0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]],
    }
    for name, expected in by_hand.items():
        np.testing.assert_array_equal(pictures.read_mask(name, (4, 3)), np.asarray(expected, bool))
    np.testing.assert_array_equal(
        pictures.read_mask("bottom", (4, 3)), ~np.asarray(by_hand["top"], bool)
    )
    file = tmp_path / "mask.npy"
    np.save(file, np.eye(4, 3))
    np.testing.assert_array_equal(pictures.read_mask(str(file), (4, 3)), np.eye(4, 3, dtype=bool))
    with pytest.raises(
        UserError, match=r"an array of shape \(4, 3\) for images of 5 x 3: give one"
    ):
        pictures.read_mask(str(file), (5, 3))
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(UserError, match="cannot be read"):
        pictures.read_mask(str(tmp_path / "text.npy"), (4, 3))


def test_every_picture_of_a_run_is_written(tmp_path):
    """Of an untrained model on the digits."""
    experiment = find_preset("vae-digits").experiment
    experiment = replace(experiment, model=MLPVAEConfig((5,), 3))
    data = experiment.load()
    task = experiment.build(data.spec)
    weights = jax.jit(task.init)(jax.random.key(0)).weights
    for show in ("reconstructions", "inpainting", "map"):
        sampling = replace(experiment.sampling, show=show, count=3, inpainting_steps=2)
        own = replace(experiment, sampling=sampling).build(data.spec)
        path = own.sample(weights, jax.random.key(0), tmp_path / show)
        assert path == tmp_path / f"{show}.png"
        assert path.read_bytes()[:4] == b"\x89PNG"
