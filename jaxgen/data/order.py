"""The order in which examples are seen: a pure function of the step, so that a resume is exact.

Nothing here has hidden state. Shuffled: step s belongs to epoch e = s // batches_per_epoch; the epoch's
permutation is drawn from the seed and e alone; the step takes the next batch_size entries of it.
A run that stops after step s and continues from s + 1 therefore sees the very batches it would
have seen. `shuffled` says which of two ways to shuffle a number of examples takes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int32

from jaxgen.data.bijection import permuted
from jaxgen.data.datasets import Dataset
from jaxgen.errors import UserError

PERMUTED_EXAMPLES = 1 << 24
"""A permutation of more would take seconds and hundreds of megabytes at each epoch's beginning."""


@lru_cache(maxsize=2)  # two: a block of steps may reach over the end of an epoch
def _permutation(num_examples: int, seed: int, epoch: int) -> Int32[np.ndarray, " n"]:
    """The examples of one epoch in the order they are seen."""
    permutation = np.random.default_rng([seed, epoch]).permutation(num_examples).astype(np.int32)
    permutation.flags.writeable = False  # it is shared by everyone who asks for this epoch
    return permutation


@runtime_checkable  # so that beartype can check it in tests
class Order(Protocol):
    """Which examples each step takes."""

    def indices(self, step: int) -> np.ndarray:
        """The examples of step 0, 1, 2, …, int32 [B], or int64 where there are so many."""

    def indices_for(self, first_step: int, count: int) -> np.ndarray:
        """The examples of `count` steps from `first_step` on, [count, B], for a loop of many steps."""


class _ManySteps(ABC):
    """What follows from `indices` in every order."""

    @abstractmethod
    def indices(self, step: int) -> np.ndarray:
        """The examples of step 0, 1, 2, ...."""

    def indices_for(self, first_step: int, count: int) -> Int[np.ndarray, "count B"]:
        """The examples of `count` steps from `first_step` on, for a loop that runs many at once."""
        return np.stack([self.indices(first_step + step) for step in range(count)])


@dataclass(frozen=True)
class _Epochs(_ManySteps):
    """Another order of the examples in every epoch; its last partial batch is left out.

    Attributes:
      num_examples: the examples are 0 .. num_examples - 1.
      batch_size: B.
      seed: chooses the orders, 0 or greater.

    Raises:
      UserError: the batch is empty or larger than the data set, or the seed is negative.
    """

    num_examples: int
    batch_size: int
    seed: int

    def __post_init__(self):
        if self.batch_size < 1:
            raise UserError(f"batch_size is {self.batch_size}: choose 1 or more.")
        if self.num_examples < self.batch_size:
            raise UserError(
                f"batch_size is {self.batch_size}, but the data set has only {self.num_examples} "
                f"examples: choose a batch_size of {self.num_examples} or less, or more data."
            )
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}: choose 0 or greater.")

    @property
    def batches_per_epoch(self) -> int:
        """The number of whole batches in the data set."""
        return self.num_examples // self.batch_size


class Shuffled(_Epochs):
    """In the order of a permutation that NumPy draws, which lies in memory for its epoch."""

    def indices(self, step: int) -> Int32[np.ndarray, " B"]:
        """The examples of step 0, 1, 2, …, a read-only array."""
        epoch, batch = divmod(step, self.batches_per_epoch)
        permutation = _permutation(self.num_examples, self.seed, epoch)
        return permutation[batch * self.batch_size : (batch + 1) * self.batch_size]


class KeyedShuffle(_Epochs):
    """In the order of a keyed bijection, of which nothing lies in memory: for any number of examples."""

    def indices(self, step: int) -> Int[np.ndarray, " B"]:
        """The examples of step 0, 1, 2, …."""
        return self.indices_for(step, 1)[0]

    def indices_for(self, first_step: int, count: int) -> Int[np.ndarray, "count B"]:
        """The examples of `count` steps from `first_step` on, those of an epoch all at once."""
        steps = np.arange(first_step, first_step + count)
        epochs, batches = np.divmod(steps, self.batches_per_epoch)
        positions = batches[:, None] * self.batch_size + np.arange(self.batch_size)
        found = np.concatenate(
            [
                permuted(positions[epochs == epoch], self.num_examples, self.seed, int(epoch))
                for epoch in np.unique(epochs)
            ]
        )
        return found.astype(np.int32) if self.num_examples <= 2**31 else found


def shuffled(num_examples: int, batch_size: int, seed: int) -> Shuffled | KeyedShuffle:
    """The usual order: a permutation of up to PERMUTED_EXAMPLES, beyond them a keyed bijection."""
    order = Shuffled if num_examples <= PERMUTED_EXAMPLES else KeyedShuffle
    return order(num_examples, batch_size, seed)


@dataclass(frozen=True)
class InOrder(_ManySteps):
    """Each place of a batch reads a stretch of its own from front to back, for a state that is carried.

    The examples lie at 0, 1, ..., e.g. the windows of a text by their first token. Place b reads from
    b·(n // B) on, `stride` further at each step; when the stretches end, all begin again.

    Attributes:
      num_examples: n, the examples are 0 .. n - 1.
      batch_size: B.
      stride: from one step's example to the next one's, e.g. the length of a window.

    Raises:
      UserError: a number is below 1, or a stretch has no room for a step.
    """

    num_examples: int
    batch_size: int
    stride: int = 1

    def __post_init__(self):
        if min(self.batch_size, self.stride) < 1:
            raise UserError("batch_size and stride have to be 1 or more.")
        if self.steps_per_epoch < 1:
            raise UserError(
                f"batch_size is {self.batch_size}, but {self.num_examples} examples cannot be cut into "
                "so many stretches: choose a smaller one, or more data."
            )

    @property
    def steps_per_epoch(self) -> int:
        """The steps until the stretches end; at a multiple of it what is carried has to be forgotten."""
        return -(-(self.num_examples // self.batch_size) // self.stride)

    def indices(self, step: int) -> Int32[np.ndarray, " B"]:
        """The examples of step 0, 1, 2, …."""
        starts = np.arange(self.batch_size, dtype=np.int32) * (self.num_examples // self.batch_size)
        return starts + np.int32(step % self.steps_per_epoch * self.stride)


class Batches:
    """Endless NumPy batches of a data set in an order; `position` is the next step, an integer.

    Save `position` beside the model, and set it (or hand it to the constructor) to continue there.
    """

    def __init__(self, dataset: Dataset, order: Order, position: int = 0):
        self.dataset, self.order, self.position = dataset, order, position

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> dict[str, Any]:
        batch = self.dataset.take(self.dataset.arrays, self.order.indices(self.position))
        self.position += 1
        return batch
