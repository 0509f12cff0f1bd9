"""The idx reader: the real Fashion-MNIST, files by hand, and damage of every sort."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.images.idx import read_idx
from jaxgen.errors import UserError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(folder, name, content):
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 11), ("t10k", 7)):
        images = rng.integers(0, 256, (n, 5, 3))
        write(tmp_path, f"{part}-images-idx3-ubyte", idx(images))
        write(tmp_path, f"{part}-labels-idx1-ubyte.gz", idx(np.arange(n) % 4))
    return tmp_path


def fails(folder, pattern):
    with pytest.raises(UserError, match=pattern) as raised:
        load(f"idx:{folder}", kind="images")
    message = str(raised.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert str(folder) in message


def test_by_hand(tmp_path):
    content = b"\x00\x00\x08\x03" + b"\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x03" + b"abcdef"
    (tmp_path / "file").write_bytes(content)
    assert read_idx(tmp_path / "file", 3).tolist() == [[[97, 98, 99]], [[100, 101, 102]]]


def test_plain_and_gzipped_files(folder):
    data = load(f"idx:{folder}", kind="images")
    images = np.random.default_rng(0).integers(0, 256, (11, 5, 3))
    np.testing.assert_array_equal(data.train.arrays["image"][..., 0], images)
    assert data.test.arrays["label"].tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert (data.train.levels, data.spec.num_classes) == (255, 4)
    assert (data.spec.height, data.spec.width, data.spec.channels) == (5, 3, 1)


def test_the_plain_file_is_preferred(folder):
    write(folder, LABELS, idx(np.full(11, 9)))
    assert load(f"idx:{folder}", kind="images").train.arrays["label"].tolist() == [9] * 11


def test_labels_may_be_absent(folder):
    for path in folder.glob("*labels*"):
        path.unlink()
    data = load(f"idx:{folder}", kind="images")
    assert data.spec.num_classes is None
    assert data.train.arrays.keys() == {"image"}


def test_fashion_mnist(real_data):
    data = load(f"idx:{real_data}/fashion_mnist", kind="images")
    train, test = data.train.arrays, data.test.arrays
    assert (train["image"].shape, test["image"].shape) == ((60000, 28, 28, 1), (10000, 28, 28, 1))
    assert np.bincount(train["label"]).tolist() == [6000] * 10
    assert np.bincount(test["label"]).tolist() == [1000] * 10
    assert train["label"][:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    # The mean and standard deviation that everyone normalises this set with.
    assert round(float(train["image"].mean(dtype=np.float64)) / 255, 4) == 0.2860
    assert round(float(train["image"].std(dtype=np.float64)) / 255, 4) == 0.3530
    batch = data.train.take(train, np.array([0, 1]))
    assert batch["image"].max() == 1


@pytest.mark.parametrize("name", [IMAGES, "t10k-images-idx3-ubyte"])
def test_missing_images(folder, name):
    (folder / name).unlink()
    fails(folder, f"has no file {name}, with or without .gz: name the folder")


def test_labels_of_one_part_only(folder):
    (folder / f"{LABELS}.gz").unlink()
    fails(folder, "differ .labels in one only.: give both alike")


def test_missing_folder_and_a_file_as_folder(folder):
    fails(folder / "nothing", "nothing does not exist: check the path")
    fails(folder / IMAGES, "is not a directory")


def test_a_directory_in_place_of_a_file(folder):
    (folder / IMAGES).unlink()
    (folder / IMAGES).mkdir()
    fails(folder, f"{IMAGES} is a directory: name a file")


def test_no_permission(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    fails(folder, f"{LABELS}.gz may not be read: change its permissions")


DAMAGE = {
    "empty": (lambda _: b"", "begins with the bytes , an idx file so named with 00 00 08 03"),
    "text": (lambda content: b"<html>not found</html>", "begins with the bytes 3c 68 74 6d"),
    "labels for images": (lambda content: idx(np.arange(11)), "begins with the bytes 00 00 08 01"),
    "integers of four bytes": (lambda content: b"\0\0\x0c\3" + content[4:], "bytes 00 00 0c 03"),
    "header cut": (lambda content: content[:9], "ends within its header: fetch it again"),
    "cut": (lambda content: content[:-1], "is cut short .164 bytes .*11, 5, 3.* need 165"),
    "no data": (lambda content: content[:16], "is cut short .0 bytes"),
    "trailing": (lambda content: content + b"\0", "has bytes left over at its end .166 bytes"),
    "no images": (lambda content: idx(np.zeros((0, 5, 3))), r"the sizes \(0, 5, 3\), so it holds"),
    "none of a size that no array has": (
        lambda content: content[:4] + bytes(4) + b"\xff" * 8, "the sizes .0, 4294967295, 4294967295., so"
    ),
    "other size": (lambda content: idx(np.zeros((11, 3, 5))), "differ .image sizes."),
    "fewer images": (lambda content: idx(np.zeros((10, 5, 3))), r"labels of shape \(11,\) for 10 "),
    "gigantic": (lambda content: content[:4] + b"\xff" * 12 + content[16:], "is cut short .165 b"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_content(folder, damage, suffix):
    change, pattern = DAMAGE[damage]
    content = (folder / IMAGES).read_bytes()
    (folder / IMAGES).unlink()
    write(folder, IMAGES + suffix, change(content))
    fails(folder, pattern)


@pytest.mark.parametrize("cut", [0, 5, 20, -9, -1])
def test_gzip_cut_short(folder, cut):
    path = folder / f"{LABELS}.gz"
    path.write_bytes(path.read_bytes()[:cut])
    fails(folder, f"{LABELS}.gz (is damaged|begins with the bytes , )")


@pytest.mark.parametrize("members", [1, 40])
def test_a_gzip_file_that_fills_the_memory_is_refused_on_the_way(folder, members):
    """120 MB of zeros in 0.1 MB, as one piece or as many; reading ends at the 100th."""
    path = folder / f"{LABELS}.gz"
    path.write_bytes(gzip.compress(bytes(120_000_000 // members)) * members)
    tracemalloc.start()
    fails(folder, r"unpacks to more than 100 MB from 0\.\d+ MB: give it uncompressed if it")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 120_000_000


def test_what_shrinks_well_but_is_small_is_read(tmp_path):
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(idx(np.zeros((5_000, 28, 28)))))
    assert read_idx(path, 3).size > 200 * path.stat().st_size


def test_gzip_with_a_flipped_byte_and_plain_data_named_gz(folder):
    path = folder / f"{LABELS}.gz"
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum
    path.write_bytes(content)
    fails(folder, "is damaged .CRC check failed.*: fetch it again")
    path.write_bytes(idx(np.arange(11)))
    fails(folder, "is damaged .Not a gzipped file")
