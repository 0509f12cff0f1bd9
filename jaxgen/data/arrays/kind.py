"""Arrays as a kind of data: no source has a name, `from_arrays` makes data of what is in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen.data.datasets import Dataset, spread
from jaxgen.data.kind import Data, Kind, whole
from jaxgen.errors import UserError

_NARROWED = {"float64": "float32", "int64": "int32", "uint64": "uint32"}


@dataclass(frozen=True, eq=False)
class Arrays(Dataset):
    """One split: arrays [n, ...] by name, of which a batch is the rows."""

    arrays: dict[str, np.ndarray]

    def sampled(self, count: int) -> "Arrays":
        """So many rows, at equal distances."""
        return Arrays(self.gather(self.arrays, spread(count, self.num_examples)))

    @property
    def num_examples(self) -> int:
        """The number of rows, n."""
        return len(next(iter(self.arrays.values())))


@dataclass(frozen=True)
class ArraySpec:
    """By name: the shape of one example, and its dtype, as NumPy prints it."""

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Both, and `"kind": "arrays"`."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        return {"kind": "arrays", "shapes": shapes, "dtypes": dict(self.dtypes)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ArraySpec":
        """The inverse of `to_json`; KeyError, TypeError or ValueError where it is damaged."""
        dtypes = {name: str(np.dtype(dtype).name) for name, dtype in values["dtypes"].items()}
        shapes = {
            name: tuple(whole({name: size}, name) for size in shape)
            for name, shape in values["shapes"].items()
        }
        if dtypes.keys() != shapes.keys():
            raise ValueError("shapes and dtypes are of other arrays")
        return cls(shapes, dtypes)


def from_arrays(train: Mapping[str, Any], test: Mapping[str, Any]) -> Data:
    """Data of arrays [n, ...] by name, one row an example, to train on and held out.

    64 bits become 32, the widths in which JAX computes. A batch has the same names, and arrays [B, ...];
    `data.spec` is an `ArraySpec`.

    Raises:
      UserError: there is no array or no row, names, shapes or dtypes of the two parts differ, lengths
        within a part do, or an integer has no room in 32 bits.
    """
    parts = [_checked(part, what) for part, what in ((train, "training"), (test, "held-out"))]
    specs = [
        ArraySpec(
            {name: array.shape[1:] for name, array in part.items()},
            {name: array.dtype.name for name, array in part.items()},
        )
        for part in parts
    ]
    if specs[0] != specs[1]:
        raise UserError(
            "The training and the held-out arrays differ in names, shapes or dtypes "
            f"({_form(specs[0])}; {_form(specs[1])}): give both alike."
        )
    return Data(Arrays(parts[0]), Arrays(parts[1]), specs[0])


def _checked(part: Mapping[str, Any], what: str) -> dict[str, np.ndarray]:
    """The arrays of one part, sorted by name, in 32 bits."""
    arrays = {name: np.asarray(part[name]) for name in sorted(part)}
    lengths = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or not all(array.size for array in arrays.values()):
        raise UserError(
            f"The {what} arrays have the lengths {lengths}: give at least one array, and one row of "
            "each for every example."
        )
    for name, array in arrays.items():
        narrow = np.dtype(_NARROWED.get(array.dtype.name, array.dtype))
        if narrow.kind not in "biuf":
            raise UserError(
                f"The {what} array {name!r} holds {array.dtype}: give numbers or truth values."
            )
        if narrow.kind in "iu":
            limits = np.iinfo(narrow)
            if array.min() < limits.min or array.max() > limits.max:
                raise UserError(f"The {what} array {name!r} has numbers beyond {narrow}.")
        arrays[name] = array.astype(narrow)
    return arrays


def _form(spec: ArraySpec) -> str:
    """The arrays in words, as image float32[8,8,1]."""
    return ", ".join(
        f"{name} {spec.dtypes[name]}[{','.join(map(str, shape))}]"
        for name, shape in spec.shapes.items()
    )


KIND = Kind({}, from_arrays, ArraySpec.from_json)
