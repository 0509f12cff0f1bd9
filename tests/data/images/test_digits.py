"""The digits that come with the package are the ones their provenance names."""

import hashlib

import jax
import numpy as np
import pytest

from jaxgen.data import Images, load
from jaxgen.data.images.digits import FILE


@pytest.fixture(scope="module")
def data():
    return load("digits", kind="images")


def test_file_is_the_one_of_its_provenance():
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert digest in FILE.with_suffix(".txt").read_text(encoding="utf-8")
    with np.load(FILE, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest in FILE.with_suffix(".txt").read_text(encoding="utf-8")
    # The counts UCI publishes for its test part, optdigits.names.
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_split_is_fixed_and_stratified(data):
    train, test = data.train.arrays, data.test.arrays
    assert (data.train.num_examples, data.test.num_examples) == (1437, 360)
    assert np.bincount(test["label"]).tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]
    assert np.bincount(train["label"]).tolist() == [
        142,
        146,
        141,
        147,
        144,
        146,
        145,
        143,
        139,
        144,
    ]


def test_the_first_held_out_image_is_the_first_zero_of_the_file(data):
    # The first line of UCI's optdigits.tes, by hand.
    image, label = data.test.arrays["image"][0, :, :, 0], data.test.arrays["label"][0]
    assert label == 0
    assert image[:3].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
    ]


def test_the_parts_together_are_the_file(data):
    with np.load(FILE, allow_pickle=False) as arrays:
        file = sorted(image.tobytes() for image in arrays["images"])
    parts = [image.tobytes() for part in (data.train, data.test) for image in part.arrays["image"]]
    assert sorted(parts) == file


def test_spec(data):
    assert data.spec.to_json() == {
        "kind": "images", "height": 8, "width": 8, "channels": 1, "num_classes": 10
    }  # fmt: skip


def test_take_divides_by_the_levels(data):
    batch = data.test.take(data.test.arrays, np.array([0, 5], np.int32))
    assert batch["image"].dtype == np.float32
    assert batch["label"].dtype == np.int32
    assert batch["image"][0, 0, :, 0].tolist() == [0, 0, 5 / 16, 13 / 16, 9 / 16, 1 / 16, 0, 0]
    assert batch["label"].tolist() == data.test.arrays["label"][[0, 5]].tolist()


@pytest.mark.parametrize("levels", [16, 255])
def test_take_is_the_same_on_the_device(levels):
    grey = np.arange(levels + 1, dtype=np.uint8).reshape(levels + 1, 1, 1, 1)
    images = Images({"image": grey, "label": np.arange(levels + 1, dtype=np.int32)}, levels)
    indices = np.arange(levels, -1, -1, dtype=np.int32)
    on_host = images.take(images.arrays, indices)
    on_device = jax.jit(images.take)(jax.device_put(images.arrays), indices)
    assert on_host["image"].ravel()[[0, -1]].tolist() == [1, 0]
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(on_device), on_host)
