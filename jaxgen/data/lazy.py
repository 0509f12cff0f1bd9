"""What is indexed like an array and read from a file there and then, so that no set lies in memory.

Each has `shape`, `dtype`, `nbytes` and `len`, takes slices and arrays of indices along its first axis,
and gives NumPy arrays; `np.asarray` of one reads all of it.
"""

import hashlib
import mmap
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.reading import plain_errors
from jaxgen.errors import UserError

TOUCHED_BYTES = 2**16
"""Of a mapped file the kernel maps up to so many bytes around each that is read."""
MOST_TOUCHED_BYTES = 2**26
"""After so many the pages are let go: they stay in the system's cache, not in this process's memory."""
WHOLE_DIGEST_BYTES, BLOCK_BYTES, BLOCKS = 2**26, 2**16, 256


class Lazy(ABC):
    """Rows along a first axis; a subclass reads those of an array of indices."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @abstractmethod
    def read(self, indices: np.ndarray) -> np.ndarray:
        """The rows at indices of any shape, copied."""

    @abstractmethod
    def digest(self) -> str:
        """What tells this content from another, see `digest_bytes`."""

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """What all rows would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: Any) -> np.ndarray:
        if isinstance(wanted, slice):
            return self.read(np.arange(*wanted.indices(len(self))))
        return self.read(np.asarray(wanted))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)


class Mapped(Lazy):
    """The rows of a file of plain numbers, mapped into memory.

    Args:
      path: of the file. dtype, shape: of what it holds from the byte `offset` on.

    Raises:
      UserError: the file cannot be read; later on, where it has become shorter meanwhile.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...], offset: int = 0):
        self.path, self.dtype, self.shape = path, np.dtype(dtype), shape
        with plain_errors(path):
            self._map: Any = np.memmap(path, self.dtype, "r", offset, shape)
        self._end = offset + self.nbytes
        self._touched = 0

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The rows at indices of any shape, copied."""
        return self._checked_read(indices, indices.size * (self._row_bytes + TOUCHED_BYTES))

    def __getitem__(self, wanted: Any) -> np.ndarray:
        if isinstance(wanted, slice):
            return self._checked_read(
                wanted, len(range(*wanted.indices(len(self)))) * self._row_bytes
            )
        return self.read(np.asarray(wanted))

    @property
    def _row_bytes(self) -> int:
        return self.nbytes // max(1, len(self))

    def _checked_read(self, wanted: Any, touched: int) -> np.ndarray:
        if self._map._mmap.size() < self._end:  # to read beyond it would be a SIGBUS
            raise UserError(f"{self.path} has been cut short while it was read: bring it back.")
        rows = np.array(self._map[wanted])
        self._touched += touched
        if self._touched > MOST_TOUCHED_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._touched = 0
            self._map._mmap.madvise(mmap.MADV_DONTNEED)
        return rows

    def digest(self) -> str:
        """As `digest_bytes` of the numbers, which are not mapped for it."""
        begin = self._end - self.nbytes
        with plain_errors(self.path), self.path.open("rb") as file:

            def read(start: int, stop: int) -> bytes:
                file.seek(begin + start)
                return file.read(stop - start)

            return _digest(read, self.nbytes)


class Part(Lazy):
    """The rows from `start` to `stop` of something lazy."""

    def __init__(self, whole: Any, start: int, stop: int):
        self._whole, self._start = whole, start
        self.shape, self.dtype = (stop - start, *whole.shape[1:]), whole.dtype

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The rows at indices of any shape, copied."""
        return self._whole[indices + self._start]

    def __getitem__(self, wanted: Any) -> np.ndarray:
        if isinstance(wanted, slice):
            start, stop, stride = wanted.indices(len(self))
            return self._whole[start + self._start : stop + self._start : stride]
        return self.read(np.asarray(wanted))

    def digest(self) -> str:
        """That of the whole, and which part of it this is."""
        return f"{self._whole.digest()}[{self._start}:{self._start + len(self)}]"


class Chosen(Lazy):
    """Some rows of something lazy, in an order of their own."""

    def __init__(self, whole: Any, rows: np.ndarray):
        self._whole, self._rows = whole, rows
        self.shape, self.dtype = (len(rows), *whole.shape[1:]), whole.dtype

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The rows at indices of any shape, copied."""
        return self._whole[self._rows[indices]]

    def digest(self) -> str:
        """That of the whole, and which rows they are."""
        rows = hashlib.sha256(self._rows.astype("<i8").tobytes()).hexdigest()
        return f"{self._whole.digest()}[{rows[:16]}]"


def digest_bytes(content: np.ndarray) -> str:
    """SHA-256 of bytes [n]: of all up to 64 MiB, beyond of the length and 256 blocks of 64 KiB.

    The blocks lie at equal distances, the first and the last one among them, so that a large file is
    told from another within a tenth of a second; a change between blocks is not seen.
    """
    return _digest(lambda start, stop: content[start:stop].data, len(content))


def _digest(read: Callable[[int, int], Any], length: int) -> str:
    if length <= WHOLE_DIGEST_BYTES:
        return f"sha256:{hashlib.sha256(read(0, length)).hexdigest()}"
    digest = hashlib.sha256(str(length).encode())
    for i in range(BLOCKS):
        start = (length - BLOCK_BYTES) * i // (BLOCKS - 1)
        digest.update(read(start, start + BLOCK_BYTES))
    return f"sha256-of-blocks:{digest.hexdigest()}"
