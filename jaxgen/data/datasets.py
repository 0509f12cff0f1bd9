"""One split of a data set: its arrays, and how a batch is taken from them.

A data set is split in two on purpose. `arrays` is what lies in memory or on disk; `take(arrays,
indices)` is a pure function that turns some of it into a batch. `take` uses nothing but indexing and
arithmetic, so the same function works on NumPy arrays and, inside `jax.jit`, on arrays that already lie
on the device: small sets are copied there once, and a batch costs a gather.

A set that is too large for that is read on the host. Its arrays need only be like arrays (`jaxgen.data.
lazy`): indexing reads a file, or decodes pictures. Then the first half of `take`, `gather`, runs on the
host, what it found is sent to the device, and the second half, `finish`, runs there. Both ways give the
same bits. The annotations say `Any` where a NumPy array and a JAX array are both meant.

Shape letters: B batch; n is the number of examples of the split. Each kind's class is in its folder.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

Batch = dict[str, np.ndarray]
"""A batch by name, batch axis first; inside `jax.jit` the same dict holds JAX arrays."""


def spread(count: int, total: int) -> np.ndarray:
    """`count` of 0 .. total - 1 at equal distances, the first one among them."""
    return np.arange(min(count, total), dtype=np.int64) * total // min(count, total)


class Dataset(ABC):
    """One split: `take(arrays, indices)` is the batch of those examples."""

    arrays: dict[str, Any]
    """What the examples are made of, by name: arrays, or what is indexed like them."""

    @property
    @abstractmethod
    def num_examples(self) -> int:
        """The examples are 0 .. num_examples - 1."""

    def gather(self, arrays: Mapping[str, Any], indices: Any) -> dict[str, Any]:
        """What the examples `indices` [B] need of the arrays, [B, ...], as it lies there."""
        return {name: array[indices] for name, array in arrays.items()}

    def finish(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """The batch that `gather` has brought together: arithmetic only."""
        return dict(rows)

    @abstractmethod
    def sampled(self, count: int) -> "Dataset":
        """Of a held-out part `count` examples to judge: at equal distances, always the same."""

    @property
    def num_judged(self) -> int:
        """How many examples `sampled` chooses from."""
        return self.num_examples

    @property
    def judged_by_default(self) -> int:
        """How many of them are judged unless a person says so."""
        return self.num_examples

    def take(self, arrays: Mapping[str, Any], indices: Any) -> dict[str, Any]:
        """The batch of the examples `indices` [B], as a pure function of `arrays`."""
        return self.finish(self.gather(arrays, indices))
