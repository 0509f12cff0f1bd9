"""Folders of pictures: decoded once, kept, checked; what is wrong with them is one sentence."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load
from jaxgen.data.images import pictures as pictures_module
from jaxgen.data.images.pictures import Pictures
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(256, size=(23, 5, 7, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))


def write(folder: Path, images, suffix="png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.{suffix}", lossless=True)
    return folder


def load_folder(folder: Path, **options):
    return load(f"folder:{folder}", kind="images", **options)


def fails(call, *words):
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def pixels(part) -> np.ndarray:
    return np.asarray(part.arrays["image"])


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_folder_without_classes_holds_every_tenth_out(tmp_path, suffix):
    data = load_folder(write(tmp_path / "flat", COLOUR, suffix))
    np.testing.assert_array_equal(pixels(data.test), COLOUR[::10])
    np.testing.assert_array_equal(pixels(data.train), np.delete(COLOUR, [0, 10, 20], axis=0))
    assert data.spec.shape == (5, 7, 3) and data.spec.num_classes is None
    batch = data.train.take(data.train.arrays, np.array([1, 0, 1]))
    np.testing.assert_allclose(batch["image"], COLOUR[[2, 1, 2]] / 255, rtol=1e-6)


def test_a_folder_a_class(tmp_path):
    write(tmp_path / "x" / "dog", COLOUR[:12, ..., 0])
    write(tmp_path / "x" / "cat", COLOUR[12:, ..., 0])
    (tmp_path / "x" / "empty").mkdir()
    (tmp_path / "x" / "cat" / "notes.txt").write_text("no picture")
    data = load_folder(tmp_path / "x")
    assert data.spec.shape == (5, 7, 1) and data.spec.num_classes == 2
    grey = np.concatenate([COLOUR[12:, ..., :1], COLOUR[:12, ..., :1]])  # cats come first
    np.testing.assert_array_equal(pixels(data.test), grey[::10])
    assert data.test.arrays["label"].tolist() == [0, 0, 1]
    assert np.bincount(data.train.arrays["label"]).tolist() == [9, 11]


def test_folders_train_and_test_are_the_parts(tmp_path):
    for part, images in (("train", COLOUR[:9]), ("test", COLOUR[9:12])):
        write(tmp_path / "x" / part / "a", images)
    data = load_folder(tmp_path / "x")
    np.testing.assert_array_equal(pixels(data.train), COLOUR[:9])
    np.testing.assert_array_equal(pixels(data.test), COLOUR[9:12])
    write(tmp_path / "x" / "test" / "b", COLOUR[12:13])
    fails(lambda: load_folder(tmp_path / "x"), "have other classes: give both the same folders.")


def test_jpegs_of_any_size_are_scaled_and_cut_at_their_centre(tmp_path):
    """Left half black, right half white: the centre of a wide picture has the edge in its middle."""
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 60:] = 255
    write(tmp_path / "x", [wide, wide[:, 20:100], wide.transpose(1, 0, 2)], "jpg")
    data = load_folder(tmp_path / "x", resize=10)
    first, upright = pixels(data.test)[0], pixels(data.train)[1]
    assert first.shape == (10, 10, 3)
    assert first[:, :4].max() < 16 and first[:, 6:].min() > 239
    assert upright[:4].max() < 16 and upright[6:].min() > 239


def test_a_picture_is_decoded_once_and_again_where_its_pixels_are_damaged(tmp_path, capfd):
    folder, read = write(tmp_path / "x", COLOUR), []
    files = sorted(folder.iterdir())

    def pictures() -> Pictures:
        def read_one(i: int) -> bytes:
            read.append(i)
            return files[i].read_bytes()

        listing = [(file.name, file.stat().st_size, 0) for file in files]
        return Pictures(read_one, lambda i: files[i].name, len(files), listing, None)

    np.testing.assert_array_equal(
        pictures()[np.array([[3, 3], [22, 0]])], COLOUR[[[3, 3], [22, 0]]]
    )
    assert sorted(read) == [0, *range(23)]  # the first for its size
    read.clear()
    np.testing.assert_array_equal(np.asarray(pictures()), COLOUR)
    assert read == [0] and capfd.readouterr().err == ""
    (store,) = (tmp_path / "cache").iterdir()
    content = bytearray((store / "pixels").read_bytes())
    content[5 * 105 + 17] ^= 1
    (store / "pixels").write_bytes(content[: 20 * 105])
    np.testing.assert_array_equal(np.asarray(pictures()), COLOUR)
    assert sorted(read) == [0, 0, 5, 20, 21, 22]
    assert "is damaged: its pictures are decoded anew" in capfd.readouterr().err
    assert (store / "pixels").read_bytes() == COLOUR.tobytes()


def test_of_many_pictures_only_those_are_decoded_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_module, "FILLED_BYTES", 23 * 105 - 1)
    data = load_folder(write(tmp_path / "x", COLOUR))
    np.testing.assert_array_equal(data.train.arrays["image"][np.array([4, 1])], COLOUR[[5, 2]])
    (store,) = (tmp_path / "cache").iterdir()
    marks = np.fromfile(store / "checksums", "<u4")
    assert np.flatnonzero(marks).tolist() == [2, 5]


def test_without_room_for_the_cache_pictures_are_decoded_again(tmp_path, monkeypatch, capfd):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    data = load_folder(write(tmp_path / "x", COLOUR))
    np.testing.assert_array_equal(pixels(data.test), COLOUR[::10])
    assert "No space left on device; pictures are not kept" in capfd.readouterr().err


def test_the_digest_tells_contents_apart(tmp_path):
    digest = lambda: load_folder(tmp_path / "x").train.arrays["image"].digest()  # noqa: E731
    write(tmp_path / "x", COLOUR)
    first = digest()
    assert digest() == first
    Image.fromarray(COLOUR[3] ^ 1).save(tmp_path / "x" / "003.png")
    assert digest() != first


def test_what_is_wrong_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    call = lambda: load_folder(tmp_path / "x")  # noqa: E731
    fails(lambda: load_folder(tmp_path / "none"), "none does not exist")
    fails(call, "x has no picture: name a folder of PNG, JPEG or WebP files")
    write(tmp_path / "x", COLOUR[:1])
    fails(call, "One image cannot be split")
    write(tmp_path / "x", COLOUR)
    file = tmp_path / "x" / "007.png"
    Image.fromarray(COLOUR[0, :, :6]).save(file)
    fails(call, "x/000.png has 7 x 5 pixels and ", "x/007.png 6 x 5: give --resize N")
    good = (tmp_path / "x" / "008.png").read_bytes()
    for content, words in (
        (good[:-30], "x/007.png is damaged or cut short"),
        (
            b"GIF89a" + bytes(40),
            "x/007.png is no PNG, JPEG or WebP picture (cannot identify image file): take",
        ),
        (b"", "x/007.png is no PNG, JPEG or WebP picture"),
    ):
        file.write_bytes(content)
        fails(call, words)
    Image.fromarray(np.full((5, 7), 7000, np.uint16)).save(file)
    fails(call, "x/007.png has more than 8 bits a channel")
    file.write_bytes(good)
    monkeypatch.setattr(pictures_module, "MOST_PIXELS", 34)
    fails(call, "x/000.png has (7, 5) pixels: make it smaller.")
    write(tmp_path / "x" / "inner", COLOUR[:2])
    fails(call, "holds pictures and folders of pictures (inner)")
    fails(
        lambda: load("digits", kind="images", resize=4), "--resize is for pictures that are decoded"
    )
