"""`vowels`: a voice of known pitch and formants, and the features by which a written string is spoken.

Source and filter (Fant 1960, "Acoustic theory of speech production"): pulses at the pitch, smoothed as a
glottis does, and a little breath, through one resonance a formant (Klatt 1980, eqs. (1) and (2),
https://doi.org/10.1121/1.383940):

    y_t = a x_t + b y_{t−1} + c y_{t−2},  c = −e^{−2πβ/r},  b = 2 e^{−πβ/r} cos(2πF/r),  a = 1 − b − c

of frequency F and bandwidth β at the rate r. Formants are the men's means of Peterson & Barney 1952,
"Control methods used in a study of the vowels", table II, https://doi.org/10.1121/1.1906875.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32

from jaxgen.data.audio.clips import Clip, Clips, to_16_bits
from jaxgen.errors import UserError

FORMANTS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
"""F1, F2, F3 in Hz, of the vowels in hod, head, heed, hawed and who'd."""
BANDWIDTHS = (60.0, 90.0, 150.0)
FRAMES_PER_SECOND = 200
LOWEST, HIGHEST = 90.0, 180.0
"""Of the pitch, in Hz."""
PITCH_PLACES = 33
"""A place is 2.2 %, less than an ear or a judge lets pass."""
NUM_FEATURES = len(FORMANTS) + 2 + PITCH_PLACES
TRAINING, HELD_OUT = 60, 12
"""Clips, of about a second."""
BREATH = 0.003
PAUSE_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Script:
    """What is to be spoken, frame by frame.

    Attributes:
      vowels: of each frame its vowel's place in FORMANTS, -1 for silence. pitch: in Hz, 0 in silence.
    """

    vowels: np.ndarray
    pitch: Float[np.ndarray, " frames"]

    def features(self) -> Float32[np.ndarray, "frames C"]:
        """Silence or which vowel, one of six numbers; then the pitch, all 0 in silence.

        The pitch is told on a scale of octaves, by one number and by how near it is to PITCH_PLACES.
        """
        spoken = self.vowels >= 0
        which = (self.vowels[:, None] == np.arange(-1, len(FORMANTS))[None]).astype(np.float32)
        octaves = np.log2(np.where(spoken, self.pitch, LOWEST) / LOWEST) / np.log2(HIGHEST / LOWEST)
        places = np.linspace(0, 1, PITCH_PLACES)
        near = np.exp(-0.5 * ((octaves[:, None] - places[None]) * (PITCH_PLACES - 1)) ** 2)
        told = np.concatenate([(2 * octaves - 1)[:, None], near], axis=1) * spoken[:, None]
        return np.concatenate([which, told], axis=1).astype(np.float32)


def script_of(text: str, pitch: tuple[float, ...], seconds: float) -> Script:
    """A string of vowels as frames, each so long, silence before, behind and at a space.

    Args:
      pitch: in Hz, one for all, or one for each vowel, from one to the next on a line.

    Raises UserError where a letter is no vowel, or the pitches are not as many, or out of range.
    """
    spoken = [letter for letter in text if letter != " "]
    if wrong := [letter for letter in spoken if letter not in FORMANTS]:
        raise UserError(
            f"The text {text!r} has {wrong[0]!r} in it, which this voice cannot speak: write "
            f"{', '.join(FORMANTS)} and spaces."
        )
    if not spoken:
        raise UserError("The text has no vowel in it: write some of aeiou.")
    if len(pitch) not in (1, len(spoken)) or not all(LOWEST <= p <= HIGHEST for p in pitch):
        raise UserError(
            f"The pitch is {', '.join(f'{p:g}' for p in pitch)} for {len(spoken)} vowels: give one, or "
            f"one for each, from {LOWEST:g} to {HIGHEST:g} Hz."
        )
    length = max(2, round(seconds * FRAMES_PER_SECOND))
    targets = list(pitch) if len(pitch) > 1 else list(pitch) * len(spoken)
    vowels, number = [-1] * PAUSE_FRAMES, 0
    centres = []
    for letter in text:
        if letter == " ":
            vowels += [-1] * PAUSE_FRAMES
            continue
        centres.append(len(vowels) + length / 2)
        vowels += [list(FORMANTS).index(letter)] * length
        number += 1
    vowels += [-1] * PAUSE_FRAMES
    which = np.array(vowels)
    line = np.interp(np.arange(len(which)) + 0.5, centres, targets)
    return Script(which, np.where(which >= 0, line, 0.0))


def speak(script: Script, sample_rate: int, rng: np.random.Generator) -> Float[np.ndarray, " n"]:
    """The voice, in [-1, 1]: so many samples a frame.

    Each vowel's resonances have one source, and one vowel is faded into the next within 20 ms: filters
    that glide would ring where they turn. All vowels are equally loud.
    """
    from scipy.signal import lfilter

    hop, spoken = hop_of(sample_rate), script.vowels >= 0
    frames = np.arange(len(spoken))
    pitch = np.interp(frames, np.flatnonzero(spoken), script.pitch[spoken])
    source = _pulses(np.repeat(pitch, hop), sample_rate)
    source += BREATH * rng.standard_normal(len(source))
    out = 1e-4 * rng.standard_normal(len(source))
    for vowel in np.unique(script.vowels[spoken]):
        share = _smoothed((script.vowels == vowel).astype(np.float64), 4)
        envelope = np.interp(np.arange(len(out)) / hop - 0.5, frames, share)
        b, a = vocal_tract(list(FORMANTS)[vowel], sample_rate)
        impulse = np.zeros(sample_rate // 10)
        impulse[0] = 1.0
        loudness = np.linalg.norm(lfilter(b, a, impulse))
        out += envelope * lfilter(b, a, source) / loudness
    return out


def vocal_tract(vowel: str, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """(numerator, denominator) of a vowel's filter: the glottis, a pole at 100 Hz, and resonances."""
    pole = np.exp(-2 * np.pi * 100 / sample_rate)
    numerator, denominator = np.array([1 - pole]), np.array([1, -pole])
    for frequency, width in zip(FORMANTS[vowel], BANDWIDTHS, strict=True):
        decay = np.exp(-np.pi * width / sample_rate)
        b, c = 2 * decay * np.cos(2 * np.pi * frequency / sample_rate), -(decay**2)
        numerator, denominator = numerator * (1 - b - c), np.convolve(denominator, [1, -b, -c])
    return numerator, denominator


def hop_of(sample_rate: int) -> int:
    """The samples of a frame; a UserError where frames are no whole number of samples."""
    if sample_rate % FRAMES_PER_SECOND or sample_rate < 8000:
        raise UserError(
            f"--sample-rate {sample_rate} does not fit the synthesised clips: give a multiple of "
            f"{FRAMES_PER_SECOND}, 8000 or more."
        )
    return sample_rate // FRAMES_PER_SECOND


@dataclass(frozen=True)
class Vowels:
    """The clips, always the same: strings of 3 to 5 vowels of 0.12 to 0.25 s at pitches of their own."""

    def clips(self, sample_rate: int, *, resample: bool, hop: int | None) -> Clips:
        """Those to train on and those held out; a UserError where --hop is given."""
        if hop is not None:
            raise UserError("--hop is for features that lie beside wav files: leave it out.")
        made = _clips(sample_rate)
        train, test = made[:TRAINING], made[TRAINING:]
        return Clips(list(train), list(test), sample_rate, hop_of(sample_rate), voice="vowels")


@lru_cache(maxsize=2)
def _clips(sample_rate: int) -> tuple[Clip, ...]:
    rng, made = np.random.default_rng(5), []
    for number in range(TRAINING + HELD_OUT):
        count = int(rng.integers(3, 6))
        text = "".join(rng.choice(list(FORMANTS), count))
        pitch = tuple(LOWEST * (HIGHEST / LOWEST) ** rng.random(count))
        script = script_of(text, pitch, rng.uniform(0.12, 0.25))
        sound = to_16_bits(speak(script, sample_rate, rng))
        made.append(Clip(f"vowels {number} ({text})", sound, features=script.features()))
    return tuple(made)


def _pulses(pitch: np.ndarray, sample_rate: int) -> np.ndarray:
    """One impulse a period, at its place between two samples, which share it."""
    phase = np.cumsum(pitch / sample_rate)
    wraps = np.flatnonzero(np.diff(np.floor(phase), prepend=0.0))
    late = (phase[wraps] - np.floor(phase[wraps])) / (pitch[wraps] / sample_rate)
    pulses = np.zeros(len(pitch) + 1)
    np.add.at(pulses, wraps, late)
    np.add.at(pulses, wraps + 1, 1 - late)
    return pulses[1:]


def _smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of so many frames around each."""
    return np.convolve(
        np.pad(values, (width // 2, width - width // 2 - 1)), np.ones(width) / width, "valid"
    )
