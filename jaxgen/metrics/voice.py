"""What a voice says, read from its sound: the pitch by autocorrelation, a vowel by its formants.

(1) r(k) = Σ_t x_t x_{t+k} / √(Σ_t x_t² Σ_t x_{t+k}²),   pitch = rate / k at the first high peak of r
(2) x̂_t = Σ_i a_i x_{t−i};   formants: F = rate · angle / 2π of the roots of 1 − Σ_i a_i z^{−i}

(1): as Boersma 1993, "Accurate short-term analysis of the fundamental frequency", has it, the peak's
place between two lags by a parabola. (2): Markel & Gray 1976, "Linear prediction of speech", chapter 7:
poles near the unit circle are resonances. Both are deterministic; neither knows what was asked for.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

LOWEST, HIGHEST = 60.0, 300.0
"""Hz, between which a pitch is looked for."""
NEAR_BEST = 0.9
"""The first peak that is so high in the highest is the pitch: later ones are its multiples."""
BROADEST = 400.0
"""Hz: a root of a greater bandwidth is no resonance."""


def pitch_at(
    wave: Float[np.ndarray, " n"], rate: int, centre: int, window: float = 0.04
) -> float | None:
    """Eq. (1): Hz around a sample, from so many seconds; None where the sound does not reach so far."""
    half, longest = round(window * rate / 2), int(rate / LOWEST) + 1
    start, stop = centre - half - longest // 2, centre + half + longest // 2 + 1
    if start < 0 or stop > len(wave):
        return None
    piece = wave[start:stop].astype(np.float64) - wave[start:stop].mean()
    size = len(piece) - longest
    lags = np.arange(int(rate / HIGHEST), longest + 1)
    first = piece[:size]
    later = np.stack([piece[lag : lag + size] for lag in lags])
    energy = np.sqrt((first**2).sum() * (later**2).sum(1)) + 1e-12
    r = later @ first / energy
    inner = np.flatnonzero((r[1:-1] >= r[:-2]) & (r[1:-1] >= r[2:])) + 1
    if not len(inner):
        return None
    peak = inner[np.flatnonzero(r[inner] >= NEAR_BEST * r[inner].max())[0]]
    before, at, after = r[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    shift = 0.0 if bend == 0 else 0.5 * (before - after) / bend
    return float(rate / (lags[peak] + shift))


def formants(wave: Float[np.ndarray, " n"], rate: int, order: int = 8) -> Float[np.ndarray, " F"]:
    """Eq. (2): the resonances in Hz, rising, of a stretch in which the mouth stands still."""
    pushed = np.append(wave[0], wave[1:] - 0.9 * wave[:-1]).astype(np.float64)  # flatter
    pushed = pushed * np.hamming(len(pushed))
    r = np.correlate(pushed, pushed, "full")[len(pushed) - 1 :][: order + 1]
    r[0] += 1e-6 * r[0] + 1e-12
    system = r[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
    roots = np.roots(np.append(1.0, -np.linalg.solve(system, r[1:])))
    roots = roots[roots.imag > 0]
    frequency = np.angle(roots) * rate / (2 * np.pi)
    bandwidth = -np.log(np.abs(roots) + 1e-12) * rate / np.pi
    return np.sort(frequency[(bandwidth < BROADEST) & (frequency > 150)])


def read_vowel(
    wave: Float[np.ndarray, " n"], rate: int, table: Mapping[str, tuple[float, ...]]
) -> str:
    """The vowel whose first two formants are nearest, as ratios, to two neighbours among those found."""
    found = formants(wave, rate)
    if len(found) < 2:
        return ""

    def distance(vowel: str) -> float:
        return float(np.abs(np.log(found[:2] / np.array(table[vowel][:2]))).sum())

    return min(table, key=distance)
