"""Texts in a column of Parquet files; each row is a document."""

import hashlib

from jaxgen.data.cache import cache_folder, only_one
from jaxgen.data.parquet import Column
from jaxgen.data.reading import listing
from jaxgen.data.text.documents import Documents
from jaxgen.data.text.files import IN_MEMORY_BYTES
from jaxgen.data.text.streams import Stretch, whole
from jaxgen.errors import UserError


def parquet_text(argument: str) -> tuple[Documents, None] | tuple[Stretch, Stretch]:
    """The rows of a column; of many megabytes a text of the cache, with a line end between two.

    Raises UserError as `Column` does, and where a row is no text.
    """
    column, texts, size = Column(argument), [], 0
    for text in _texts(column):
        texts.append(text)
        size += len(text)
        if size > IN_MEMORY_BYTES:
            stretch = _in_the_cache(column)
            return stretch, stretch
    return Documents(tuple(texts)), None


def _texts(column: Column):
    for row, text in enumerate(column):
        if not isinstance(text, str):
            raise UserError(
                f"Row {row} of the column {column.name!r}, in {column.file_of(row)}, is no text but "
                f"{type(text).__name__}: name a column of texts."
            )
        yield text


def _in_the_cache(column: Column) -> Stretch:
    """A text file of all rows, made once for these files."""
    key = hashlib.sha256(repr((listing(column.files), column.name)).encode()).hexdigest()
    path = cache_folder() / f"rows-{key[:32]}.txt"
    with only_one(path):
        if not path.exists():
            draft = path.with_name(path.name + ".part")
            with draft.open("w", encoding="utf-8", newline="") as file:
                for row, text in enumerate(_texts(column)):
                    file.write("\n" * (row > 0) + text)
            draft.replace(path)
    return whole(path)
