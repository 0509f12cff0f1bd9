"""Pictures as they lie on disk, PNG, JPEG or WebP: decoded where they are needed, and kept decoded.

A picture is decoded once: its pixels go into a file of the cache, with a checksum beside them, from
which they are read afterwards. Pillow decodes in threads, as it lets others run meanwhile.
"""

import hashlib
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from jaxgen.data.cache import cache_folder
from jaxgen.data.lazy import BLOCKS, WHOLE_DIGEST_BYTES, Lazy
from jaxgen.data.progress import printed
from jaxgen.errors import UserError

MODES = {1: "L", 3: "RGB"}
GREY = ("1", "L", "LA")
MOST_PIXELS = 100_000_000
FILLED_BYTES = 2**28
"""A set of up to so many pixels is decoded, and thereby checked, before anything begins."""


class Pictures(Lazy):
    """uint8 [n, height, width, C] of n encoded pictures; grey ones C = 1, if the first one is.

    Args:
      read_one: the encoded bytes of picture i. name_of: what to call it in an error.
      count: n. files: name, bytes and time of the files that hold them.
      resize: N, to scale and cut each picture, at its centre, to N × N; None: all are of one size.

    Raises:
      UserError: a picture cannot be decoded, or is of another size than the first, which is noticed here
        if all together are small, and else as they are read.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        read_one: Callable[[int], bytes],
        name_of: Callable[[int], str],
        count: int,
        files: list[tuple[str, int, int]],
        resize: int | None,
    ):
        self._read_one, self._name_of, self._files, self._resize = read_one, name_of, files, resize
        first = self._open(0)
        channels = 1 if first.mode in GREY else 3
        width, height = first.size
        self._first_size = first.size
        side = (resize, resize) if resize else (height, width)
        self.shape = (count, *side, channels)
        listing = repr((files, resize, self.shape)).encode()
        self._store = _Store(hashlib.sha256(listing).hexdigest()[:32], self.shape)
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
        if self.nbytes <= FILLED_BYTES:
            self._fill()

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The pictures at indices of any shape."""
        wanted, places = np.unique(indices, return_inverse=True)
        rows = np.empty((len(wanted), *self.shape[1:]), np.uint8)
        missing = [i for i, index in enumerate(wanted) if not self._store.load(int(index), rows[i])]
        self._decode_into(rows, missing, wanted)
        return rows[places.reshape(indices.shape)]

    def digest(self) -> str:
        """SHA-256 of the files' names and sizes, and of all up to 64 MiB, beyond of 256 pictures."""
        total = sum(size for _, size, _ in self._files)
        count = len(self) if total <= WHOLE_DIGEST_BYTES else min(BLOCKS, len(self))
        digest = hashlib.sha256(repr([file[:2] for file in self._files]).encode())
        for i in range(count):
            digest.update(self._read_one(i * (len(self) - 1) // max(1, count - 1)))
        return f"sha256-of-{'all' if count == len(self) else count}:{digest.hexdigest()}"

    def _fill(self, size: int = 1000) -> None:
        """Decode all that the cache lacks."""
        missing = self._store.missing()
        tell = printed("decoding pictures")
        for first in range(0, len(missing), size):
            wanted = missing[first : first + size]
            rows = np.empty((len(wanted), *self.shape[1:]), np.uint8)
            self._decode_into(rows, range(len(wanted)), wanted)
            tell((first + len(wanted)) / len(missing))

    def _decode_into(self, rows: np.ndarray, places: Iterable[int], wanted: np.ndarray) -> None:
        def work(place: int) -> None:
            rows[place] = self._decoded(int(wanted[place]))
            self._store.save(int(wanted[place]), rows[place])

        for _ in self._pool.map(work, places):
            pass

    def _open(self, index: int) -> Any:
        """A picture, of which the header is read."""
        from PIL import Image

        try:
            image = Image.open(io.BytesIO(self._read_one(index)), formats=("PNG", "JPEG", "WEBP"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(
                f"{self._name_of(index)} is no PNG, JPEG or WebP picture ({_short(error)}): take it "
                "away."
            ) from None
        if image.mode.startswith(("I", "F")):
            raise UserError(f"{self._name_of(index)} has more than 8 bits a channel: convert it.")
        if image.width * image.height > MOST_PIXELS:
            raise UserError(f"{self._name_of(index)} has {image.size} pixels: make it smaller.")
        return image

    def _decoded(self, index: int) -> np.ndarray:
        from PIL import ImageOps

        image = self._open(index)
        if self._resize is None and image.size != self._first_size:
            sizes = [f"{width} x {height}" for width, height in (self._first_size, image.size)]
            raise UserError(
                f"{self._name_of(0)} has {sizes[0]} pixels and {self._name_of(index)} {sizes[1]}: give "
                "--resize N, or pictures of one size."
            )
        try:
            image = image.convert(MODES[self.shape[3]])
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise UserError(
                f"{self._name_of(index)} is damaged or cut short ({_short(error)}): take it away, or "
                "bring it back."
            ) from None
        if self._resize is not None:
            image = ImageOps.fit(image, (self._resize, self._resize))
        return np.asarray(image).reshape(self.shape[1:])


class _Store:
    """The decoded pictures of a set, in a file of the cache, each with its checksum in another."""

    def __init__(self, key: str, shape: tuple[int, ...]):
        folder = cache_folder() / f"images-{key}"
        folder.mkdir(exist_ok=True)
        self._folder, self._shape = folder, shape[1:]
        self._row_bytes = int(np.prod(shape[1:]))
        self._rows, self._marks = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
            for name in ("pixels", "checksums")
        )
        known = np.frombuffer(os.pread(self._marks, 4 * shape[0], 0), np.uint8)
        marks = np.zeros(4 * shape[0], np.uint8)
        marks[: len(known)] = known
        self._known = marks.view("<u4")
        self._damaged = self._full = False

    def missing(self) -> np.ndarray:
        """The pictures that are not there, or not sound."""
        row = np.empty(self._shape, np.uint8)
        return np.array([i for i in range(len(self._known)) if not self.load(i, row)], np.int64)

    def load(self, index: int, row: np.ndarray) -> bool:
        """Whether a picture was there, and is now in `row`."""
        mark = int(self._known[index])
        if mark == 0:
            return False
        content = os.pread(self._rows, self._row_bytes, index * self._row_bytes)
        if len(content) == self._row_bytes and _checksum(content) == mark:
            row[...] = np.frombuffer(content, np.uint8).reshape(self._shape)
            return True
        if not self._damaged:
            self._damaged = True
            print(f"{self._folder} is damaged: its pictures are decoded anew", file=sys.stderr)
        return False

    def save(self, index: int, row: np.ndarray) -> None:
        """Keep a picture, unless the disk is full."""
        if self._full:
            return
        content = row.tobytes()
        mark = _checksum(content)
        try:
            os.pwrite(self._rows, content, index * self._row_bytes)
            os.pwrite(self._marks, mark.to_bytes(4, "little"), 4 * index)
        except OSError as error:
            self._full = True
            print(f"{self._folder}: {error.strerror}; pictures are not kept", file=sys.stderr)
            return
        self._known[index] = mark

    def __del__(self, close: Callable = os.close):  # `os` may have gone when the interpreter ends
        for descriptor in (self._rows, self._marks):
            close(descriptor)


def _checksum(content: bytes) -> int:
    """CRC-32, never 0, which marks what is not there."""
    return zlib.crc32(content) or 1


def _short(error: Exception) -> str:
    """An error's own words, without the object that they are about."""
    said = re.sub(r" ?<.*>", "", str(error)).splitlines()
    return said[0][:80] if said else type(error).__name__
