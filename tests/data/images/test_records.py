"""ArrayRecord files of pictures, bare and in tf.train.Examples; what is wrong with them."""

import io

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from jaxgen.data import load
from jaxgen.errors import UserError

COLOUR = np.random.default_rng(0).integers(256, size=(23, 5, 7, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))


def png(image) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write(path, records) -> None:
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()


def field(number: int, content: bytes) -> bytes:
    """A field of bytes in a protocol buffer; its length in seven bits a byte."""
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def example(**features: bytes | int) -> bytes:
    """By the format's definition: Example 1: Features 1: entry (1: name, 2: Feature)."""
    entries = b""
    for name, value in features.items():
        kind = (
            field(1, field(1, value))
            if isinstance(value, bytes)
            else field(3, field(1, bytes([value])))
        )
        entries += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, entries)


def loaded(pattern, **options):
    return load(f"arrayrecord:{pattern}", kind="images", **options)


def test_records_of_pictures_over_several_files(tmp_path):
    write(tmp_path / "a-1.array_record", [png(image) for image in COLOUR[:15]])
    write(tmp_path / "a-2.array_record", [png(image) for image in COLOUR[15:]])
    data = loaded(tmp_path / "a-*")
    assert data.spec.shape == (5, 7, 3) and data.spec.num_classes is None
    np.testing.assert_array_equal(np.asarray(data.test.arrays["image"]), COLOUR[::10])
    np.testing.assert_array_equal(
        data.train.arrays["image"][np.array([[14], [0]])], COLOUR[[[16], [1]]]
    )
    assert loaded(tmp_path / "a-*", resize=3).spec.shape == (3, 3, 3)


def test_examples_have_labels(tmp_path):
    """A name of another feature, a long picture, labels to 99; the first feature comes last."""
    records = [
        example(file_name=b"x" * 200, label=4 * i, image=png(image))
        for i, image in enumerate(COLOUR)
    ]
    write(tmp_path / "x", records)
    data = loaded(tmp_path / "x")
    np.testing.assert_array_equal(np.asarray(data.test.arrays["image"]), COLOUR[::10])
    assert data.test.arrays["label"].tolist() == [0, 40, 80] and data.spec.num_classes == 89


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([b"", b"nothing"], "Record 0 of .* is no PNG, JPEG or WebP picture"),
        ([png(COLOUR[0]), png(COLOUR[1])[:60]], "Record 1 of .* is damaged or cut short"),
        (
            [png(COLOUR[0]), png(COLOUR[1][:4])],
            "Record 0 of .* has 7 x 5 pixels and Record 1 of .* 7 x 4",
        ),
        (
            [example(label=3, image=png(COLOUR[0])), example(image=png(COLOUR[1]))],
            "Record 1 .* has no label",
        ),
        ([], "holds no record"),
    ],
)
def test_records_that_are_none(tmp_path, records, message):
    write(tmp_path / "x", records)
    with pytest.raises(UserError, match=message) as error:
        loaded(tmp_path / "x")
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match=r"arrayrecord:.*/\* names no file: check the pattern"):
        loaded(tmp_path / "*")
    write(tmp_path / "x", [png(image) for image in COLOUR])
    content = (tmp_path / "x").read_bytes()
    for damaged in (content[: len(content) // 2], b"no records"):
        (tmp_path / "x").write_bytes(damaged)
        with pytest.raises(UserError, match="no ArrayRecord, or is cut short"):
            loaded(tmp_path / "x")
