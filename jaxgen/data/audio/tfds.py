"""Sets of tensorflow-datasets with a feature `audio`.

Where that is a tensor of whole numbers, nothing else is needed; the library's class Audio, as of version
4.9.10, cannot even be made without TensorFlow.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen.data.audio.clips import Clip, Clips, without_last_fifth
from jaxgen.data.audio.wavs import resampled
from jaxgen.data.tfds import examples, splits
from jaxgen.errors import UserError


@dataclass(frozen=True)
class TfdsAudio:
    """A set to be read once it is known at which rate."""

    name: str

    def clips(self, sample_rate: int, *, resample: bool, hop: int | None) -> Clips:
        """The splits `train` and `test` (or `validation`), or each clip without its last fifth.

        Raises UserError where --hop is given, the set is of another rate, or holds no 16-bit sound.
        """
        if hop is not None:
            raise UserError("--hop is for features that lie beside wav files: leave it out.")
        parts = []
        for split in splits(self.name, "audio"):
            feature = split.dataset_info.features["audio"]
            own = getattr(feature, "sample_rate", None) or sample_rate
            if own != sample_rate and not resample:
                raise UserError(
                    f"tfds:{self.name} has {own} samples a second and not {sample_rate}: give "
                    f"--sample-rate {own}, or let it be converted by --resample."
                )
            parts.append([self._clip(e, i, own, sample_rate) for i, e in self._numbered(split)])
        train, test = parts if len(parts) == 2 else without_last_fifth(parts[0], 1)
        return Clips(train, test, sample_rate)

    def _numbered(self, split: Any):
        return enumerate(examples(split, self.name, size=16))

    def _clip(self, example: dict[str, Any], number: int, rate: int, to: int) -> Clip:
        sound = np.asarray(example["audio"])
        name = f"example {number} of tfds:{self.name}"
        if sound.ndim == 2:  # channels behind time
            sound = np.rint(sound.mean(axis=1))
        if sound.ndim != 1 or not len(sound) or np.abs(sound).max() > 32768:
            raise UserError(f"{name} is no sound of 16 bits: choose another set.")
        sound = np.clip(sound, -32768, 32767).astype(np.int16)
        return Clip(name, sound if rate == to else resampled(sound, rate, to))
