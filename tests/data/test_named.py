"""Public data sets are found where they usually are, and named where they are not."""

import gzip
import struct

import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.named import VARIABLE, find_named
from jaxgen.errors import UserError


def test_the_folder_that_the_variable_names_goes_before_the_usual_ones(tmp_path, monkeypatch):
    own, usual = tmp_path / "own", tmp_path / "usual"
    for folder in (own, usual):
        folder.mkdir()
        (folder / "set").touch()
    monkeypatch.setenv(VARIABLE, str(own))
    assert find_named("a", "set", [str(usual / "set")], "buy it") == own / "set"
    monkeypatch.delenv(VARIABLE)
    assert find_named("a", "set", [str(usual / "set")], "buy it") == usual / "set"
    with pytest.raises(UserError) as raised:
        find_named("a", "set", [], "buy it")
    assert str(raised.value) == (
        "--data a is not on this machine: buy it, or put set into a folder and name that by "
        "$JAXGEN_DATA."
    )


def test_shakespeare_is_the_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "tinyshakespeare.txt").write_text("abcdefghij" * 10)
    data = load("shakespeare", kind="text", seq_len=4)
    assert data.spec.vocab_size == 10
    assert [len(part.arrays["tokens"]) for part in (data.train, data.test)] == [90, 10]


def test_fashion_mnist_is_the_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "fashion_mnist").mkdir()
    for part, count in (("train", 3), ("t10k", 2)):
        pixels = np.full((count, 28, 28), count, np.uint8)
        file = tmp_path / "fashion_mnist" / f"{part}-images-idx3-ubyte.gz"
        header = struct.pack(">HBB3I", 0, 8, 3, count, 28, 28)
        file.write_bytes(gzip.compress(header + pixels.tobytes()))
    data = load("fashion-mnist", kind="images")
    assert data.train.arrays["image"].shape == (3, 28, 28, 1)
    assert (data.test.arrays["image"] == 2).all() and data.spec.num_classes is None
