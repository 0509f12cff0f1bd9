"""A column of Parquet files, a few rows at a time: texts, or encoded pictures with their labels.

`FILE#COLUMN`, of which FILE may be a pattern. pyarrow, the extra `jaxgen[parquet]`, is imported inside
of the functions, as that takes a moment.
"""

import bisect
import contextlib
import glob
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgen.data.reading import as_path
from jaxgen.errors import UserError
from jaxgen.suggest import did_you_mean

ROWS = 1024
"""Rows that are read at once."""


class Column:
    """The values of a column, over all files in the order of their names.

    Raises UserError where pyarrow is missing, a file is none of Parquet, or has no such column.
    """

    def __init__(self, argument: str):
        try:
            import pyarrow.parquet as parquet
        except ImportError:
            raise UserError("parquet:FILE needs pyarrow: pip install 'jaxgen[parquet]'.") from None
        pattern, _, self.name = argument.rpartition("#")
        if not pattern or not self.name:
            raise UserError(f"parquet:{argument} names no column: write parquet:FILE#COLUMN.")
        names = sorted(glob.glob(str(as_path(pattern))))  # noqa: PTH207  (absolute too)
        if not names:
            raise UserError(
                f"parquet:{pattern} names no file: check the path, and quote a pattern."
            )
        self.files = [Path(name) for name in names]
        self._parts: list[Any] = []
        for file in self.files:
            try:
                part = parquet.ParquetFile(file)
            except Exception as error:  # what it raises is of many kinds
                raise UserError(
                    f"{file} is no Parquet file, or is cut short ({str(error).splitlines()[0][:80]})."
                ) from None
            columns = part.schema_arrow.names
            if self.name not in columns:
                near = did_you_mean(self.name, columns)
                raise UserError(f"{file} has no column {self.name!r}; {near}.")
            self._parts.append(part)
        # (file, its reader, row group) by the number of its first row
        self._groups, self._begins, begin = [], [], 0
        for file, part in zip(self.files, self._parts, strict=True):
            for group in range(part.num_row_groups):
                self._groups.append((file, part, group))
                self._begins.append(begin)
                begin += part.metadata.row_group(group).num_rows
        self._count = begin
        self._lock, self._read = threading.Lock(), (-1, [])
        if not begin:
            raise UserError(f"parquet:{pattern} holds no row: name other files.")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        """All values, in order."""
        for file, part in zip(self.files, self._parts, strict=True):
            with _damage_named(file):
                for batch in part.iter_batches(ROWS, columns=[self.name]):
                    yield from batch.column(0).to_pylist()

    def __getitem__(self, row: int) -> Any:
        """One value; the row group that it lies in is kept, for its neighbours."""
        place = bisect.bisect_right(self._begins, row) - 1
        with self._lock:
            if self._read[0] != place:
                file, part, group = self._groups[place]
                with _damage_named(file):
                    table = part.read_row_group(group, columns=[self.name])
                self._read = place, table.column(0).to_pylist()
            return self._read[1][row - self._begins[place]]

    def beside(self, name: str) -> list[Any] | None:
        """All values of another column; None where one of the files has none."""
        if any(name not in part.schema_arrow.names for part in self._parts):
            return None
        values = []
        for file, part in zip(self.files, self._parts, strict=True):
            with _damage_named(file):
                values += part.read(columns=[name]).column(0).to_pylist()
        return values

    def file_of(self, row: int) -> Path:
        """The file that a row lies in."""
        return self._groups[bisect.bisect_right(self._begins, row) - 1][0]


@contextlib.contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    """Say of which file pages are damaged; pyarrow raises OSErrors that name none."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{file} is damaged ({str(error).splitlines()[0][:80]}): bring it back."
        ) from error
