"""One split of a data set, in memory: its arrays, and how a batch is taken from them.

A data set is split in two on purpose. `arrays` is what lies in memory, on the host or on an
accelerator; `take(arrays, indices)` is a pure function that turns some of it into a batch. `take`
uses nothing but indexing and arithmetic, so the same function works on NumPy arrays and, inside
`jax.jit`, on arrays that already lie on the device: small sets are then copied there once, and a
batch costs a gather. The annotations say `Any` where a NumPy array and a JAX array are both
meant.

Shape letters: B batch; n is the number of examples of the split. Each kind's class is in its folder.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

Batch = dict[str, np.ndarray]
"""A batch by name, batch axis first; inside `jax.jit` the same dict holds JAX arrays."""


@runtime_checkable  # so that beartype can check it in tests
class Dataset(Protocol):
    """One split in memory: `take(arrays, indices)` is the batch of those examples."""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What lies in memory, by name."""

    @property
    def num_examples(self) -> int:
        """The examples are 0 .. num_examples - 1."""

    def take(self, arrays: Mapping[str, Any], indices: Any) -> dict[str, Any]:
        """The batch of the examples `indices` [B], as a pure function of `arrays`."""
