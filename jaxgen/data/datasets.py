"""One split of a data set, in memory: its arrays, and how a batch is taken from them.

A data set is split in two on purpose. `arrays` is what lies in memory, on the host or on an
accelerator; `take(arrays, indices)` is a pure function that turns some of it into a batch. `take`
uses nothing but indexing and arithmetic, so the same function works on NumPy arrays and, inside
`jax.jit`, on arrays that already lie on the device: small sets are then copied there once, and a
batch costs a gather. The annotations say `Any` where a NumPy array and a JAX array are both
meant.

Shape letters: B batch, T sequence length, C channels; n is the number of examples of the split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from jaxgen.errors import UserError

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


@dataclass(frozen=True, eq=False)
class Images:
    """Images as grey levels 0 .. `levels`, and their classes where the source has them.

    Attributes:
        arrays: `image` uint8 [n, height, width, C], or float32 where the source has no integer
            levels (then `levels` is 1), and optionally `label` int32 [n].
        levels: the largest grey level, 255 for eight bits and 16 for the digits.
    """

    arrays: dict[str, np.ndarray]
    levels: int

    @property
    def num_examples(self) -> int:
        """The number of images, n."""
        return len(self.arrays["image"])

    def take(self, arrays: Mapping[str, Any], indices: Int[Any, " B"]) -> dict[str, Any]:
        """`image` float32 [B, height, width, C] = level / levels, in [0, 1]; `label` int32 [B]."""
        # A product with the reciprocal, since XLA turns the division by a constant into one:
        # written so, NumPy and every compiled loop agree in the last bit.
        scale = np.float32(1 / self.levels)
        batch = {"image": arrays["image"][indices].astype(np.float32) * scale}
        if "label" in arrays:
            batch["label"] = arrays["label"][indices]
        return batch


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as one long row of tokens; an example is a window of it, one for every start.

    Attributes:
        arrays: `tokens` int32 [n].
        seq_len: T, the tokens a model reads at once.
        num_characters: the characters of text that the n tokens stand for; None where the text
            cannot be had back from them (words). A loss in nats per token, times n / num_characters,
            is in nats per character, which compares tokenizers fairly.

    Raises:
        UserError: the text has no window of T tokens and the one that follows.
    """

    arrays: dict[str, np.ndarray]
    seq_len: int
    num_characters: int | None

    def __post_init__(self):
        num_tokens = len(self.arrays["tokens"])
        if self.seq_len < 1:
            raise UserError(f"seq_len is {self.seq_len}: choose a sequence length of 1 or more.")
        if num_tokens <= self.seq_len:
            raise UserError(
                f"A part of the text (training or held out) has {num_tokens} tokens, but seq_len "
                f"{self.seq_len} needs one more than itself: choose a smaller seq_len or a longer "
                "text."
            )

    @property
    def num_examples(self) -> int:
        """The number of windows, n − T: every start whose targets are in the text."""
        return len(self.arrays["tokens"]) - self.seq_len

    def take(self, arrays: Mapping[str, Any], indices: Int[Any, " B"]) -> dict[str, Any]:
        """Windows that start at `indices`: `tokens` [B, T], and `targets` [B, T] one later."""
        offsets = np.arange(self.seq_len + 1, dtype=np.int32)
        windows = arrays["tokens"][indices[:, None] + offsets[None, :]]
        return {"tokens": windows[:, :-1], "targets": windows[:, 1:]}
