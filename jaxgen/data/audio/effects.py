"""`effects`: clicks, bursts of noise and sweeps, told apart by one label a clip and nothing else."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxgen.data.audio.clips import Clip, Clips, to_16_bits
from jaxgen.errors import UserError

LABELS = ("clicks", "noise", "sweep")
TRAINING, HELD_OUT = 20, 4
"""Clips of each label, of half a second."""
SECONDS = 0.5
BREATH = 1e-3


@dataclass(frozen=True)
class Effects:
    """The clips, always the same."""

    def clips(self, sample_rate: int, *, resample: bool, hop: int | None) -> Clips:
        """Those to train on and those held out; a UserError where --hop is given."""
        if hop is not None:
            raise UserError("--hop is for features that lie beside wav files: leave it out.")
        train, test = _clips(sample_rate)
        return Clips(list(train), list(test), sample_rate, labels=LABELS)


@lru_cache(maxsize=2)
def _clips(sample_rate: int) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    rng, parts = np.random.default_rng(6), ([], [])
    for part, count in zip(parts, (TRAINING, HELD_OUT), strict=True):
        for number in range(count):
            for label, name in enumerate(LABELS):
                sound = effect(name, sample_rate, rng)
                part.append(Clip(f"{name} {number}", to_16_bits(sound), label))
    return tuple(parts[0]), tuple(parts[1])


def effect(name: str, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Half a second of it in [-1, 1]: a sweep goes up from 200 to 1,600 Hz; clicks ring for 2 ms."""
    n = round(SECONDS * sample_rate)
    quiet = BREATH * rng.standard_normal(n)
    time = np.arange(n) / sample_rate
    match name:
        case "sweep":
            rate = np.log(8) / SECONDS
            phase = 2 * np.pi * 200 * np.expm1(rate * time) / rate
            return quiet + 0.3 * np.sin(phase + rng.uniform(0, 2 * np.pi))
        case "noise":
            bursts = np.sin(2 * np.pi * 4 * time + rng.uniform(0, 2 * np.pi)) > 0
            return quiet + 0.1 * bursts * rng.standard_normal(n)
        case _:
            out = quiet
            ringing = np.arange(round(0.01 * sample_rate)) / sample_rate
            ring = 0.5 * np.exp(-ringing / 0.002) * np.cos(2 * np.pi * 1000 * ringing)
            for start in np.arange(rng.uniform(0, 0.1), SECONDS - 0.01, 0.1):
                first = int(start * sample_rate)
                out[first : first + len(ring)] += ring
            return out
