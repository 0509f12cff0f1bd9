"""Points as a kind of data: where they come from, and what is known of their density."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxgen.data.arrays.kind import Arrays
from jaxgen.data.kind import Data, Kind, Source, whole
from jaxgen.data.points.mixtures import HELD_OUT, TRAINING, Mixture, grid, ring


@dataclass(frozen=True)
class PointSpec:
    """The numbers of a point, and the mixture that points are drawn from.

    Attributes:
      size: X. mixture: whose components are the classes.
    """

    size: int
    mixture: Mixture

    @property
    def shape(self) -> tuple[int]:
        """(X,) of a point."""
        return (self.size,)

    @property
    def num_classes(self) -> int:
        """The components of the mixture."""
        return len(self.mixture.centres)

    def to_json(self) -> dict[str, Any]:
        """Size, centres and deviation, and `"kind": "points"`."""
        centres = [list(centre) for centre in self.mixture.centres]
        deviation = self.mixture.deviation
        return {"kind": "points", "size": self.size, "centres": centres, "deviation": deviation}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PointSpec":
        """The inverse of `to_json`; KeyError, TypeError or ValueError where it is damaged."""
        size = whole(values, "size", end=2**10)
        centres = tuple(tuple(float(number) for number in row) for row in values["centres"])
        deviation = float(values["deviation"])
        numbers = [deviation, *(number for centre in centres for number in centre)]
        sound = centres and {len(centre) for centre in centres} == {size} and deviation > 0
        if not sound or not all(map(math.isfinite, numbers)):
            raise ValueError("the centres or the deviation are no mixture's")
        return cls(size, Mixture(centres, deviation))


def point_data(train: Arrays, test: Arrays, mixture: Mixture) -> Data:
    """The data of two sets of draws from one mixture."""
    return Data(train, test, PointSpec(len(mixture.centres[0]), mixture))


def _source(mixture: Callable[[], Mixture]) -> Source:
    def read(_: str) -> tuple[Arrays, Arrays, Mixture]:
        found = mixture()
        return found.draw(TRAINING, seed=0), found.draw(HELD_OUT, seed=1), found

    return Source(read)


KIND = Kind({"grid": _source(grid), "ring": _source(ring)}, point_data, PointSpec.from_json)
