"""A split of a text. Shape letters: B batch, T sequence length; n tokens in the split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxgen.data.datasets import Dataset, spread
from jaxgen.data.progress import judging
from jaxgen.errors import UserError

JUDGED_TOKENS = 2**17
"""A tenth of Shakespeare has 111,540 characters."""


@dataclass(frozen=True, eq=False)
class Tokens(Dataset):
    """A text as one long row of tokens; an example is a window of it, one for every start.

    Attributes:
      arrays: `tokens` [n], integers of any width; a batch has int32.
      seq_len: T, the tokens a model reads at once.
      num_characters: the characters of text that the n tokens stand for; None where the text
        cannot be had back from them (words). A loss in nats per token, times n / num_characters,
        is in nats per character, which compares tokenizers fairly.
      judged: how many of the windows side by side `side_by_side` takes; None: all.
      ends_by: the id of `<EOS>`, where windows learn of one document alone, see `_within`; None: of all.
      tells_start: batches say at which token each window starts, for a model that carries a state.

    Raises:
      UserError: the text has no window of T tokens and the one that follows.
    """

    arrays: dict[str, Any]
    seq_len: int
    num_characters: int | None
    judged: int | None = None
    tells_start: bool = False
    ends_by: int | None = None

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

    @property
    def num_windows(self) -> int:
        """The number of windows side by side, the last of which may end with the text."""
        return -(-(len(self.arrays["tokens"]) - 1) // self.seq_len)

    @property
    def num_judged(self) -> int:
        """The windows side by side."""
        return self.num_windows

    @property
    def judged_by_default(self) -> int:
        """All, up to JUDGED_TOKENS tokens."""
        return min(self.num_windows, max(1, JUDGED_TOKENS // self.seq_len))

    def sampled(self, count: int) -> "Tokens":
        """The same tokens, of which `count` windows at equal distances are judged."""
        return replace(self, judged=count if count < self.num_windows else None)

    def side_by_side(self, size: int) -> Iterator[dict[str, np.ndarray]]:
        """Batches of `size` windows that overlap in no target: each token but the first is one once.

        `tokens` and `targets` int32 [size, T], and `counted` [size, T], which is false behind the end.
        Of a part, if one is to be judged, the windows lie at equal distances.
        """
        count = self.judged or self.num_windows
        windows, tell = spread(count, self.num_windows), judging()
        for first in range(0, count, size):
            tell(first / count)
            yield self._windows(windows[first : first + size], size)

    def in_stretches(self, size: int) -> Iterator[dict[str, np.ndarray]]:
        """As `side_by_side`, but each of `size` rows reads on where it stood in the batch before.

        Of a part, if one is to be judged, each row reads the beginning of its stretch.
        """
        stretch = -(-self.num_windows // size)
        steps = max(1, self.judged // size) if self.judged else stretch
        tell = judging()
        for step in range(steps):
            tell(step / steps)
            yield self._windows(np.arange(size) * stretch + step, size)

    def _windows(self, windows: np.ndarray, size: int) -> dict[str, np.ndarray]:
        """The windows of these numbers, and empty ones up to `size`."""
        tokens, last = self.arrays["tokens"], len(self.arrays["tokens"]) - 1
        starts = np.full(size, last, np.int64)
        starts[: len(windows)] = np.minimum(windows * self.seq_len, last)
        places = starts[:, None] + np.arange(self.seq_len + 1)
        read = tokens[np.minimum(places, last)].astype(np.int32)
        counted = (places[:, 1:] <= last) & (self._within(read[:, :-1]) > 0)
        # Zeros behind the end, in inputs and targets.
        return {
            "tokens": np.where(places[:, :-1] < last, read[:, :-1], 0),
            "targets": np.where(counted, read[:, 1:], 0),
            "counted": counted,
        }

    def gather(self, arrays: Mapping[str, Any], indices: Int[Any, " B"]) -> dict[str, Any]:
        """`windows` [B, T + 1] that start at `indices`, and `start` [B] where it is to be told."""
        offsets = np.arange(self.seq_len + 1, dtype=np.int32)
        rows = {"windows": arrays["tokens"][indices[:, None] + offsets[None, :]]}
        return rows | {"start": indices} if self.tells_start else rows

    def finish(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """`tokens` int32 [B, T], `targets` [B, T] one later, and `start` as it is.

        Of documents apart, `weights` [B, T] too: 0 where a target is not learnt.
        """
        windows = rows["windows"].astype(np.int32)
        batch = {"tokens": windows[:, :-1], "targets": windows[:, 1:]}
        if self.ends_by is not None:
            batch["weights"] = self._within(batch["tokens"])
        return batch | {"start": rows["start"]} if self.tells_start else batch

    def _within(self, tokens: Any) -> Any:
        """float32 [B, T], 1 where no document has ended between a window's first token and this one.

        The end itself is a target; one that the window begins with stands for the beginning of the next.
        """
        if self.ends_by is None:
            return np.ones(tokens.shape, np.float32)
        ends = tokens == self.ends_by
        return (ends.cumsum(axis=1) - ends[:, :1] == 0).astype(np.float32)
