"""A clip of sound, and how clips are split and checked. Units: samples, 16 bits, one channel."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int16

from jaxgen.errors import UserError


@dataclass(frozen=True, eq=False)
class Clip:
    """One stretch of sound.

    Attributes:
      name: for messages. wave: its samples. label: of the clip, 0 where there are none.
      features: of each frame of `hop` samples, the first from the first sample on; None: none.
    """

    name: str
    wave: Int16[np.ndarray, " n"]
    label: int = 0
    features: Float32[np.ndarray, "frames C"] | None = None


@dataclass(frozen=True, eq=False)
class Clips:
    """What a source gives: clips to train on and clips held out, at one rate.

    Attributes:
      sample_rate: samples a second. hop: samples of a frame; 1 where there are no features.
      labels: the names of what clips are of; empty: of nothing. voice: who turns a text into features.
    """

    train: list[Clip]
    test: list[Clip]
    sample_rate: int
    hop: int = 1
    labels: tuple[str, ...] = ()
    voice: str = ""


def without_last_fifth(clips: list[Clip], hop: int) -> tuple[list[Clip], list[Clip]]:
    """Each clip without its last fifth, and the last fifths; they meet between two frames."""
    parts: tuple[list[Clip], list[Clip]] = ([], [])
    for clip in clips:
        boundary = len(clip.wave) * 4 // 5 // hop * hop
        for part, place in zip(parts, (slice(boundary), slice(boundary, None)), strict=True):
            frames = slice(*(None if n is None else n // hop for n in (place.start, place.stop)))
            features = None if clip.features is None else clip.features[frames]
            part.append(replace(clip, wave=clip.wave[place], features=features))
    return parts


def covered(clip: Clip, hop: int) -> Clip:
    """The clip, its features cut to its frames; a UserError where they do not cover the sound."""
    if clip.features is None:
        return clip
    frames = -(-len(clip.wave) // hop)
    if len(clip.features) < frames:
        raise UserError(
            f"The features of {clip.name} cover {len(clip.features)} frames of {hop} samples, but the "
            f"sound has {frames}: give a row for every frame, or another --hop."
        )
    return replace(clip, features=np.ascontiguousarray(clip.features[:frames], np.float32))


def to_16_bits(wave: np.ndarray) -> Int16[np.ndarray, " n"]:
    """Numbers in [-1, 1] as 16 bits; what lies outside is cut off."""
    return np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)
