"""A split of a text in memory. Shape letters: B batch, T sequence length; n tokens in the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxgen.errors import UserError


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as one long row of tokens; an example is a window of it, one for every start.

    Attributes:
      arrays: `tokens` int32 [n].
      seq_len: T, the tokens a model reads at once.
      num_characters: the characters of text that the n tokens stand for; None where the text
        cannot be had back from them (words). A loss in nats per token, times n / num_characters,
        is in nats per character, which compares tokenizers fairly.
      tells_start: batches say at which token each window starts, for a model that carries a state.

    Raises:
      UserError: the text has no window of T tokens and the one that follows.
    """

    arrays: dict[str, np.ndarray]
    seq_len: int
    num_characters: int | None
    tells_start: bool = False

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
        """Windows that start at `indices`: `tokens` [B, T], and `targets` [B, T] one later.

        And `start` [B], the indices, where they are to be told.
        """
        offsets = np.arange(self.seq_len + 1, dtype=np.int32)
        windows = arrays["tokens"][indices[:, None] + offsets[None, :]]
        batch = {"tokens": windows[:, :-1], "targets": windows[:, 1:]}
        return batch | {"start": indices} if self.tells_start else batch
