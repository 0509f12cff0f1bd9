"""The npz reader: every layout of names, both kinds of pixels, and what is not such a file."""

from pathlib import Path

import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.errors import UserError

GREY = np.arange(7 * 3 * 5, dtype=np.uint8).reshape(7, 3, 5)
COLOUR = np.arange(4 * 3 * 5 * 3, dtype=np.uint8).reshape(4, 3, 5, 3)
LABELS = np.array([0, 2, 1, 2, 0, 1, 1])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def read(path, **arrays):
    np.savez(path, **arrays)
    return load(f"npz:{path}", kind="images")


def fails(path, pattern, **arrays):
    if arrays:
        np.savez(path, **arrays)
    with pytest.raises(UserError, match=pattern) as raised:
        load(f"npz:{path}", kind="images")
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_our_names(path):
    data = read(
        path, train_images=GREY, train_labels=LABELS, test_images=GREY[:2], test_labels=[0, 4]
    )
    np.testing.assert_array_equal(data.train.arrays["image"][..., 0], GREY)
    assert data.train.arrays["label"].tolist() == LABELS.tolist()
    assert data.test.arrays["label"].dtype == np.int32
    assert (data.train.levels, data.spec.num_classes) == (255, 5)


def test_names_of_keras_with_a_column_of_labels_and_colour(path):
    labels = np.array([[3], [1], [0], [1]], np.uint8)
    data = read(path, x_train=COLOUR, y_train=labels, x_test=COLOUR[:1], y_test=labels[:1])
    np.testing.assert_array_equal(data.train.arrays["image"], COLOUR)
    assert data.train.arrays["label"].tolist() == [3, 1, 0, 1]
    assert data.spec.channels == 3


def test_one_array_holds_out_its_last_tenth(path):
    images = np.arange(25, dtype=np.uint8).reshape(25, 1, 1)
    data = read(path, images=images, labels=np.arange(25))
    assert data.train.arrays["image"].ravel().tolist() == list(range(22))
    assert data.test.arrays["label"].tolist() == [22, 23, 24]


def test_floats_stay_as_they_are(path):
    images = np.array([[[0.0, 0.3]], [[1.0, 1e-7]]])
    data = read(path, train_images=images, test_images=images)
    batch = data.train.take(data.train.arrays, np.array([1, 0]))
    np.testing.assert_array_equal(batch["image"][..., 0], images[::-1].astype(np.float32))
    assert batch.keys() == {"image"}
    assert (data.train.levels, data.spec.num_classes) == (1, None)


@pytest.mark.parametrize(
    ("images", "pattern"),
    [
        (np.array([[[0.5, 1.01]]]), "float64 pixels that are neither"),
        (np.array([[[0.5, -0.01]]]), "float64 pixels that are neither"),
        (np.array([[[0.5, np.nan]]]), "float64 pixels that are neither"),
        (GREY.astype(np.int64), "int64 pixels that are neither"),
        (GREY > 3, "bool pixels that are neither"),
        (GREY[0], r"shape \(3, 5\)"),
        (GREY[:0], r"shape \(0, 3, 5, 1\)"),
        (np.zeros((2, 3, 5, 5), np.uint8), r"shape \(2, 3, 5, 5\): .* 1 to 4 channels"),
    ],
)
def test_arrays_that_are_not_images(path, images, pattern):
    fails(path, rf"\(train_images\) holds .*{pattern}", train_images=images, test_images=images)


@pytest.mark.parametrize(
    ("labels", "pattern"),
    [
        (LABELS[:-1], r"labels of shape \(6,\) for 7 images: give one label"),
        (np.eye(7, dtype=int), r"labels of shape \(7, 7\) for 7 images"),
        (LABELS - 1, "labels that are not classes"),
        (LABELS * 0.5, "labels that are not classes"),
        (LABELS + 2**31, "labels that are not classes"),
    ],
)
def test_labels_that_are_not_classes(path, labels, pattern):
    fails(path, pattern, images=GREY, labels=labels)


def test_parts_that_differ(path):
    fails(path, "image sizes", train_images=GREY, test_images=GREY[:, :2])
    fails(path, "grey levels", train_images=GREY, test_images=np.zeros((1, 3, 5)))
    fails(path, "labels in one only", x_train=GREY, y_train=LABELS, x_test=GREY)


def test_other_names_and_a_single_image(path):
    fails(path, "has the arrays train_images, x_test: name them", train_images=GREY, x_test=GREY)
    np.savez(path, images=GREY[:1])
    with pytest.raises(UserError, match="One image cannot be split"):
        load(f"npz:{path}", kind="images")


def test_pickles_are_refused_unread(path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (path.with_suffix(".sprung"),)

    fails(path, "is not an npz file of plain arrays", images=np.array([Trap()], object))
    assert not path.with_suffix(".sprung").exists()


def test_an_archive_that_fills_the_memory_is_refused_unread(path, monkeypatch):
    """120 MB of zeros in 0.1 MB, in arrays of 60 MB."""
    halves = {name: np.zeros((60_000, 100, 10), np.uint8) for name in ("images", "labels")}
    np.savez_compressed(path, **halves)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("was read"))
    fails(path, r"unpacks to more than 100 MB from 0\.\d+ MB: give it uncompressed if it")


def test_junk(path):
    fails(path, "does not exist: check the path")
    for content in (b"", b"junk", b"PK\x03\x04junk", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        fails(path, "is not an npz file of plain arrays, or is damaged")
    with path.open("wb") as file:
        np.save(file, GREY)  # npy: an array, not an archive
    fails(path, "is not an npz file of plain arrays")


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_and_many_flipped_bytes_are_reported_or_harmless(path, compressed):
    save = np.savez_compressed if compressed else np.savez
    save(path, images=GREY, labels=LABELS)
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position])
        fails(path, "is not an npz file")
        flipped = bytearray(content)
        flipped[position] ^= 0xFF
        path.write_bytes(flipped)
        try:
            data = load(f"npz:{path}", kind="images")
        except UserError as error:
            assert str(path) in str(error)
        else:  # a byte that carries nothing, such as a date
            np.testing.assert_array_equal(data.train.arrays["image"][..., 0], GREY[:6])
