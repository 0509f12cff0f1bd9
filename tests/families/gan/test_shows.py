"""What `--show` draws: the same noise in every panel, on arcs, within bounds; and films."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen.data.points.mixtures import ring
from jaxgen.errors import UserError
from jaxgen.families.gan.config import GANImageSampling, GANPointSampling
from jaxgen.families.gan.sampling import NONE, SHARES, THRESHOLDS, draw_noise, panels
from jaxgen.families.gan.shows import make_image_sample, make_point_sample

KEY, Z, CLASSES = jax.random.key(3), 101, 4


def shown(show, count=5, **fields):
    sampling = replace(GANImageSampling(show=show), **fields)
    return {
        title: (np.asarray(own.noise), np.asarray(own.label))
        for title, own in panels(sampling, KEY, count, Z, CLASSES).items()
    }


def test_each_class_has_the_same_noise():
    found = shown("classes")
    assert [list(label) for _, label in found.values()] == [[own] * 5 for own in range(CLASSES)]
    for noise, _ in found.values():
        np.testing.assert_array_equal(noise, draw_noise(KEY, 5, Z))


def test_an_interpolation_keeps_the_length_and_the_class():
    """All along the arc between two draws of 101 numbers: the straight middle would have √½ of it."""
    ways = list(shown("interpolation", label=2).values())
    lengths = np.array([np.linalg.norm(noise, axis=1) for noise, _ in ways])
    assert len(ways) == len(SHARES)
    assert np.all(lengths > 0.9 * np.minimum(lengths[0], lengths[-1]))
    assert all(list(label) == [2] * 5 for _, label in ways)
    straight = np.linalg.norm((ways[0][0] + ways[-1][0]) / 2, axis=1)
    assert np.all(straight < 0.85 * lengths[3])
    turns = [np.sum(ways[0][0] * noise, axis=1) for noise, _ in ways]
    assert np.all(np.diff(turns, axis=0) < 0)  # ever farther from where it began


def test_truncated_noise_is_the_same_nearer_to_zero():
    found = [noise for noise, _ in shown("truncation").values()]
    for noise, threshold in zip(found, (*THRESHOLDS, NONE), strict=True):
        assert np.abs(noise).max() <= threshold
        np.testing.assert_array_equal(np.argsort(noise[0]), np.argsort(found[-1][0]))
    assert 0.9 < found[-1].std() < 1.1
    tight = shown("samples", truncation=0.5)[""][0]
    assert 0.4 < np.abs(tight).max() <= 0.5


def drawn(weights, noise, label):
    """Of each noise one grey image, the lighter the higher its class."""
    grey = (label + 1) / CLASSES
    return np.broadcast_to(np.asarray(grey)[:, None, None, None], (len(noise), 4, 4, 1))


def test_a_class_grid_has_a_column_for_each(tmp_path):
    sampling = GANImageSampling(show="classes", count=9)
    path = make_image_sample(sampling, drawn, Z, CLASSES)(None, KEY, tmp_path / "grid")
    with Image.open(path) as picture:
        pixels = np.asarray(picture)[:, :, 0]
    height, width = pixels.shape
    middles = [width * (2 * own + 1) // (2 * CLASSES) for own in range(CLASSES)]
    assert height * CLASSES == width * 2  # two whole rows of nine images
    for row in (height // 4, 3 * height // 4):
        found = [pixels[row, middle] for middle in middles]
        np.testing.assert_allclose(found, [64, 128, 191, 255], atol=2)


@pytest.mark.parametrize("show", ["interpolation", "truncation", "classes"])
def test_points_have_a_cloud_for_each_panel(show, tmp_path):
    def cloud(weights, noise, label):
        return 0.1 * noise + jnp.asarray(ring().centres)[label]

    sampling = GANPointSampling(show=show, count=20)
    path = make_point_sample(sampling, cloud, 2, 8, ring())(None, KEY, tmp_path / show)
    with Image.open(path) as picture:
        assert picture.size[0] > 900  # several side by side


def test_a_film_has_what_training_left_in_its_order(tmp_path):
    sample = make_image_sample(GANImageSampling(show="training"), drawn, Z, CLASSES)
    with pytest.raises(UserError, match="--show training needs two or more pictures"):
        sample(None, KEY, tmp_path / "film")
    (tmp_path / "other").mkdir()
    for step in (30, 200, 1000):  # and one that was drawn by hand, which does not belong to them
        Image.new("RGB", (6, 6), (step // 4,) * 3).save(tmp_path / f"step-{step:07d}.png")
    Image.new("RGB", (6, 6), (9, 9, 9)).save(tmp_path / "step-0000200-seed-0-1.png")
    of_training = sample(None, KEY, tmp_path / "other" / "step-0000030")
    assert of_training.suffix == ".png"  # which draws samples, whatever is to be shown
    found = []
    with Image.open(sample(None, KEY, tmp_path / "film")) as film:
        assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 3, 0)
        for place in range(3):
            film.seek(place)
            found.append((film.convert("RGB").getpixel((3, 3))[0], film.info["duration"]))
    assert found == [(7, 500), (50, 500), (250, 2000)]
