"""Pictures in ArrayRecord files, at random: a record is an encoded picture, or a tf.train.Example.

An Example, as prepared sets of tensorflow-datasets have them, is read without TensorFlow: it is a
protocol buffer [1] of a map from names to lists, of which `image` (or `image/encoded`) holds the picture
and `label`, if there is one, its class.

[1] https://protobuf.dev/programming-guides/encoding/
"""

import glob
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.images.dataset import Images
from jaxgen.data.images.pictures import Pictures
from jaxgen.data.progress import printed
from jaxgen.data.reading import listing
from jaxgen.errors import UserError

IMAGE, LABEL = ("image", "image/encoded"), "label"
PICTURES = (b"\x89PNG", b"\xff\xd8", b"RIFF")


@dataclass(frozen=True)
class Records:
    """The records of some files, in the order of the files' names."""

    files: list[Path]
    source: Any  # of array_record, which reads records by number
    lock: threading.Lock

    @property
    def are_pictures(self) -> bool:
        """Whether the first record holds an encoded picture: a tensor's bytes are none."""
        return self._picture(0).startswith(PICTURES)

    def images(self, resize: int | None) -> Images:
        """The pictures, decoded as they are needed, and their labels, which are read at once."""
        count = len(self.source)
        arrays: dict[str, Any] = {
            "image": Pictures(self._picture, self._name, count, listing(self.files), resize)
        }
        if LABEL in self._example(0):
            tell, labels = printed("reading labels"), np.empty(count, np.int32)
            for i in range(count):
                labels[i] = self._example(i).get(LABEL, -1)
                if labels[i] < 0:
                    raise UserError(
                        f"{self._name(i)} has no label, as others have: mend the files."
                    )
                tell((i + 1) / count)
            arrays["label"] = labels
        return Images(arrays, 255)

    def _name(self, index: int) -> str:
        return f"Record {index} of {self.files[0].parent}"

    def _record(self, index: int) -> bytes:
        try:
            with self.lock:
                return self.source[index]
        except (RuntimeError, ValueError, IndexError) as error:  # of the reader in C++
            raise UserError(
                f"{self._name(index)} cannot be read ({str(error)[:80]}): the stream ends early or is "
                "damaged; bring the files back."
            ) from None

    def _picture(self, index: int) -> bytes:
        record = self._record(index)
        if record.startswith(PICTURES):
            return record
        example = _parsed(record)
        return next((example[name] for name in IMAGE if name in example), b"")

    def _example(self, index: int) -> dict[str, Any]:
        record = self._record(index)
        return {} if record.startswith(PICTURES) else _parsed(record)


def array_records(pattern: str) -> tuple[Records, None]:
    """The records of the files that a pattern such as DIR/*.array_record names.

    Raises UserError where it names none, or one that is no such file.
    """
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    files = [Path(name) for name in sorted(glob.glob(pattern))]  # noqa: PTH207  (absolute too)
    if not files:
        raise UserError(f"arrayrecord:{pattern} names no file: check the pattern, and quote it.")
    try:
        source = ArrayRecordDataSource([str(file) for file in files])
        count = len(source)
    except Exception as error:  # what its reader raises is not documented
        raise UserError(
            f"arrayrecord:{pattern} names a file that is no ArrayRecord, or is cut short "
            f"({str(error).splitlines()[0][:80] if str(error) else type(error).__name__})."
        ) from None
    if count == 0:
        raise UserError(f"arrayrecord:{pattern} holds no record: name other files.")
    return Records(files, source, threading.Lock()), None


def _parsed(record: bytes) -> dict[str, Any]:
    """The first bytes or whole number of each feature of a tf.train.Example, by name."""
    found: dict[str, Any] = {}
    try:
        for features in _fields(record, 1):
            for entry in _fields(features, 1):
                (name,), (feature,) = _fields(entry, 1), _fields(entry, 2)
                for texts in _fields(feature, 1):
                    found[name.decode()] = next(_fields(texts, 1), b"")
                for numbers in _fields(feature, 3):
                    packed = next(_fields(numbers, 1), None)
                    if packed is not None:
                        found[name.decode()] = _varint(packed, 0)[0]
    except (ValueError, IndexError):
        return {}
    return found


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """The fields of one number in a message; a whole number as the bytes that encode it."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        start = place
        if tag & 7 == 0:
            _, place = _varint(message, place)
        elif tag & 7 == 2:
            length, start = _varint(message, place)
            place = start + length
        else:
            place += {1: 8, 5: 4}[tag & 7] if tag & 7 in (1, 5) else len(message)
        if place > len(message):
            raise ValueError("it ends early")
        if tag >> 3 == wanted:
            yield message[start:place]


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """(a whole number, seven bits a byte, the place behind it)."""
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
