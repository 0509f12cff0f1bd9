"""Columns of Parquet files: texts and pictures, and what is wrong with them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load
from jaxgen.data.text import parquet as text_parquet
from jaxgen.errors import UserError

COLOUR = np.random.default_rng(0).integers(256, size=(23, 5, 7, 3), dtype=np.uint8)
ROWS = [f"row {number} of them" for number in range(40)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))


def png(image) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write(path, **columns) -> None:
    arrow = pytest.importorskip("pyarrow", reason="the extra jaxgen[parquet]")
    from pyarrow import parquet

    parquet.write_table(arrow.table(columns), path, row_group_size=6)


def test_rows_of_text_over_several_files(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", text=ROWS[:25], other=range(25))
    write(tmp_path / "b.parquet", text=ROWS[25:], other=range(15))
    source = f"parquet:{tmp_path}/*.parquet#text"
    data = load(source, kind="text", seq_len=5)
    read = [data.spec.tokenizer.decode(part.arrays["tokens"]) for part in (data.train, data.test)]
    whole = "\n".join(ROWS)
    assert read == [whole[: len(whole) * 9 // 10], whole[len(whole) * 9 // 10 :]]
    apart = load(source, kind="text", seq_len=5, documents="apart")  # rows without a separator
    tokens = apart.train.arrays["tokens"]
    assert (
        apart.spec.tokenizer.decode(tokens).split("<EOS>")[:-1] == ROWS[:37]
    )  # of 550 characters, 494 before it
    monkeypatch.setattr(text_parquet, "IN_MEMORY_BYTES", 100)  # as of a long one: by the cache
    for _ in range(2):
        lazily = load(source, kind="text", seq_len=5)
        for part, other in ((lazily.train, data.train), (lazily.test, data.test)):
            np.testing.assert_array_equal(part.arrays["tokens"][:], other.arrays["tokens"])


@pytest.mark.parametrize("as_record", [False, True])
def test_pictures_with_their_labels(tmp_path, as_record):
    """Bytes, or a record with a path, as others write them."""
    pictures = [png(image) for image in COLOUR]
    column = [{"bytes": each, "path": None} for each in pictures] if as_record else pictures
    write(tmp_path / "a.parquet", image=column, label=[i % 3 for i in range(23)])
    data = load(f"parquet:{tmp_path / 'a.parquet'}#image", kind="images")
    assert data.spec.num_classes == 3
    held_out = np.arange(23) % 10 == 0
    for part, chosen in ((data.train, ~held_out), (data.test, held_out)):
        indices = np.random.default_rng(0).permutation(part.num_examples)  # over all row groups
        np.testing.assert_array_equal(part.arrays["image"][indices], COLOUR[chosen][indices])
        np.testing.assert_array_equal(part.arrays["label"], (np.arange(23) % 3)[chosen])


@pytest.mark.parametrize(
    ("argument", "kind", "said"),
    [
        ("a.parquet", "text", "names no column: write parquet:FILE#COLUMN"),
        ("none.parquet#text", "text", "names no file: check the path"),
        ("a.parquet#texts", "text", "has no column 'texts'; did you mean text?"),
        (
            "a.parquet#number",
            "text",
            "Row 0 of the column 'number', in .*a.parquet, is no text but",
        ),
        ("a.parquet#number", "images", "holds no encoded picture"),
        ("a.parquet#text", "images", "holds no encoded picture"),
        ("junk.parquet#text", "text", "is no Parquet file, or is cut short"),
    ],
)
def test_what_is_wrong_is_a_sentence(tmp_path, argument, kind, said):
    write(tmp_path / "a.parquet", text=ROWS, number=range(40))
    (tmp_path / "junk.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    options = {"seq_len": 5} if kind == "text" else {}
    with pytest.raises(UserError, match=said) as error:
        load(f"parquet:{tmp_path}/{argument}", kind=kind, **options)
    assert "\n" not in str(error.value)


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'jaxgen\[parquet\]'"):
        load("parquet:a#b", kind="text", seq_len=5)
