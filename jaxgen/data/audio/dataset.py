"""A split of sound. Shape letters: B batch, T samples of a window; C features of a frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxgen.data.audio.clips import Clip
from jaxgen.data.datasets import Dataset, spread
from jaxgen.errors import UserError

JUDGED_SAMPLES = 2**19
"""Half a minute at 16 kHz."""


@dataclass(frozen=True, eq=False)
class Waves(Dataset):
    """Clips one after the other; an example is a window within one, from the start of a frame on.

    Attributes:
      arrays: `wave` int16 [n], before each clip one sample of silence; of each clip, `first` the number
        of its first window, `offset` the place of that silence, and `length`; where there are some,
        `label` of each clip, `features` float32 of all frames [frames, C] and `frame` the clip's first.
      seq_len: T. hop: samples of a frame.
      judged: how many of the windows side by side are judged; None: all.
      seen: the part that was trained on, for what is fitted to be compared with; None: this one.
    """

    arrays: dict[str, np.ndarray]
    seq_len: int
    hop: int
    judged: int | None = None
    seen: "Waves | None" = None

    @property
    def num_examples(self) -> int:
        """Windows of T samples from the start of each frame on."""
        lengths = self.arrays["length"]
        return int(((lengths - self.seq_len) // self.hop + 1).sum())

    @property
    def num_judged(self) -> int:
        """Windows side by side; each clip's last one may end with the clip."""
        return len(self._side_by_side(0))

    @property
    def judged_by_default(self) -> int:
        """All, up to JUDGED_SAMPLES."""
        return min(self.num_judged, max(1, JUDGED_SAMPLES // self.seq_len))

    def sampled(self, count: int) -> "Waves":
        """The same sound, of which `count` windows at equal distances are judged."""
        return replace(self, judged=count if count < self.num_judged else None)

    def clips(self, values: np.ndarray) -> list[np.ndarray]:
        """Of values for all of `wave`, those of each clip."""
        places = zip(self.arrays["offset"] + 1, self.arrays["length"], strict=True)
        return [values[start : start + length] for start, length in places]

    def gather(self, arrays: Mapping[str, Any], indices: Any) -> dict[str, Any]:
        """`wave` int16 [B, T + 1], first the sample before the window; `features` and `label`."""
        clip = (indices[:, None] >= arrays["first"][None]).sum(-1) - 1
        window = indices - arrays["first"][clip]
        places = np.arange(self.seq_len + 1, dtype=np.int32)[None]
        rows = {
            "wave": arrays["wave"][(arrays["offset"][clip] + window * self.hop)[:, None] + places]
        }
        if "features" in arrays:
            frames = np.arange(self.seq_len // self.hop, dtype=np.int32)[None]
            rows["features"] = arrays["features"][
                (arrays["frame"][clip] + window)[:, None] + frames
            ]
        if "label" in arrays:
            rows["label"] = arrays["label"][clip]
        return rows

    def finish(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """`wave` float32 in [-1, 1), one for 32,768; the rest as it is."""
        return dict(rows) | {"wave": rows["wave"].astype(np.float32) * np.float32(1 / 32768)}

    def side_by_side(self, size: int, context: int) -> Iterator[dict[str, np.ndarray]]:
        """Batches of `size` windows in which each sample of the part, or of what is judged, counts once.

        As a training batch, but a window has `context` samples more, which do not count where they
        belong to the window before; `counted` [size, context + T] says which do. The context is rounded
        up to whole frames, and a clip begins with silence.
        """
        context = -(-context // self.hop) * self.hop
        windows = self._side_by_side(context)
        chosen = windows[spread(self.judged or len(windows), len(windows))]
        for first in range(0, len(chosen), size):
            yield self._batch(chosen[first : first + size], size, context)

    def _side_by_side(self, context: int) -> np.ndarray:
        """(clip, start, first that counts) of each window; the first of a clip counts from 0 on."""
        rows = []
        for clip, length in enumerate(self.arrays["length"].tolist()):
            starts = range(0, max(length - context, 1), self.seq_len)
            rows += [(clip, start, start + context if start else 0) for start in starts]
        return np.array(rows, np.int64).reshape(-1, 3)

    def _batch(self, windows: np.ndarray, size: int, context: int) -> dict[str, np.ndarray]:
        arrays, span = self.arrays, self.seq_len + context
        found: dict[str, np.ndarray] = {
            "wave": np.zeros((size, span + 1), np.int16),
            "counted": np.zeros((size, span), bool),
        }
        if "features" in arrays:
            width = arrays["features"].shape[1]
            found["features"] = np.zeros((size, span // self.hop, width), np.float32)
        if "label" in arrays:
            found["label"] = np.zeros(size, np.int32)
        for row, (clip, start, counts) in enumerate(windows):
            length, offset = int(arrays["length"][clip]), int(arrays["offset"][clip])
            there = min(span, length - start)
            sound = arrays["wave"][offset + start : offset + start + there + 1]
            found["wave"][row, : there + 1] = sound
            found["counted"][row, counts - start : there] = True
            if "features" in arrays:
                first = int(arrays["frame"][clip]) + start // self.hop
                frames = -(-there // self.hop)
                found["features"][row, :frames] = arrays["features"][first : first + frames]
            if "label" in arrays:
                found["label"][row] = arrays["label"][clip]
        return self.finish(found)


def waves_of(clips: list[Clip], seq_len: int, hop: int, labelled: bool, part: str) -> Waves:
    """The clips as one split.

    Raises UserError where the window is no whole number of frames, or a clip shorter than a window.
    """
    if seq_len % hop:
        raise UserError(
            f"--seq-len {seq_len} is no multiple of the {hop} samples of a frame: give one."
        )
    for clip in clips:
        if len(clip.wave) < seq_len:
            raise UserError(
                f"The {part} part of {clip.name} has {len(clip.wave)} samples, fewer than --seq-len "
                f"{seq_len}: lower that, or leave the clip out."
            )
    lengths = np.array([len(clip.wave) for clip in clips], np.int32)
    if lengths.sum(dtype=np.int64) + len(clips) >= 2**31:
        raise UserError(f"The {part} part has 2^31 samples or more: give less.")
    windows = (lengths - seq_len) // hop + 1
    silence = np.zeros(1, np.int16)
    arrays = {
        "wave": np.concatenate([piece for clip in clips for piece in (silence, clip.wave)]),
        "first": _starts(windows), "offset": _starts(lengths + 1), "length": lengths,
    }  # fmt: skip
    tables = [clip.features for clip in clips if clip.features is not None]
    if tables:
        arrays["features"] = np.concatenate(tables)
        arrays["frame"] = _starts(np.array([len(table) for table in tables], np.int32))
    if labelled:
        arrays["label"] = np.array([clip.label for clip in clips], np.int32)
    return Waves(arrays, seq_len, hop)


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
