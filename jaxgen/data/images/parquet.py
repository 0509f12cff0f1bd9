"""Pictures in a column of Parquet files: encoded bytes, or a record whose `bytes` these are."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen.data.images.arrays import labels_from
from jaxgen.data.images.dataset import Images
from jaxgen.data.images.pictures import Pictures
from jaxgen.data.parquet import Column
from jaxgen.data.reading import listing
from jaxgen.errors import UserError

LABEL = "label"


@dataclass(frozen=True)
class Rows:
    """The rows of a column."""

    column: Column

    @property
    def files(self) -> list[Any]:
        """Where they lie."""
        return self.column.files

    def images(self, resize: int | None) -> Images:
        """The pictures, decoded as they are needed, and what the column `label` says of them."""
        count = len(self.column)
        name_of = lambda i: f"Row {i}, in {self.column.file_of(i)}"  # noqa: E731
        pictures = Pictures(self._picture, name_of, count, listing(self.files), resize)
        labels = self.column.beside(LABEL)
        arrays: dict[str, Any] = {"image": pictures}
        if labels is not None:
            try:
                found = np.array(labels)
            except ValueError:  # lists of unlike lengths
                raise UserError(
                    f"The column {LABEL!r} of {self.files[0]} has lists of unlike lengths: a label is a "
                    "whole number."
                ) from None
            arrays["label"] = labels_from(found, count, str(self.files[0]))
        return Images(arrays, 255)

    def _picture(self, index: int) -> bytes:
        value = self.column[index]
        found = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(found, bytes):
            place = f"column {self.column.name!r}, in {self.column.file_of(index)}"
            raise UserError(
                f"Row {index} of the {place}, holds no encoded picture: name a column of bytes."
            )
        return found


def parquet_images(argument: str) -> tuple[Rows, None]:
    """The rows of FILE#COLUMN; every tenth is held out."""
    return Rows(Column(argument)), None
