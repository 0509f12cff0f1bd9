"""Sound from a model, as a wav file and a picture of its spectrogram."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.audio.clips import to_16_bits
from jaxgen.data.audio.kind import AudioSpec
from jaxgen.data.audio.vowels import Script, hop_of, script_of, speak
from jaxgen.data.audio.wavs import read_features, read_wav, write_wav
from jaxgen.errors import UserError
from jaxgen.families.sound.config import SoundSampling
from jaxgen.families.sound.decoding import draw_sound
from jaxgen.families.sound.module import SoundModel
from jaxgen.families.sound.output import Output
from jaxgen.metrics.spectrogram import save_spectrograms
from jaxgen.suggest import did_you_mean


class Plan(NamedTuple):
    """What is to be drawn.

    Attributes:
      length: samples, those of the prime included. prime: int16 samples, none for none.
      features: of its frames, label: of the clip; None where the model is told none.
      script: what a voice is to say.
    """

    length: int
    prime: np.ndarray
    features: np.ndarray | None
    label: int | None
    script: Script | None


def plan_of(spec: AudioSpec, sampling: SoundSampling, reach: int, *, strict: bool = True) -> Plan:
    """What `sampling` asks for.

    Args:
      reach: R, the samples that the model sees. strict: refuse a model's want of features, too.

    Raises UserError where the prime cannot be read, is of another rate or shorter than R, the label is
    not known, the text cannot be said, or the features do not fit or cover the sound.
    """
    prime = np.zeros(0, np.int16)
    if sampling.prime is not None:
        prime = _prime(Path(sampling.prime), spec, reach)
    label = _label(spec, sampling.label)
    length = len(prime) + round(sampling.seconds * spec.sample_rate)
    if spec.voice and sampling.features is None:
        script = script_of(sampling.text, sampling.pitch, sampling.vowel_seconds)
        features = script.features()
        spoken = len(features) * spec.hop
        if len(prime) >= spoken:
            raise UserError(
                f"The prime has {len(prime)} samples, and the text ends after {spoken}: give a longer "
                "text, or a shorter prime."
            )
        return Plan(spoken, prime, features, label, script)
    if not spec.num_features:
        if sampling.features is not None:
            raise UserError("--features is for a model that was trained with --hop: leave it out.")
        return Plan(length, prime, None, label, None)
    if sampling.features is None:
        if strict:
            raise UserError("The model is told features of each frame: give them by --features.")
        return Plan(length, prime, None, label, None)
    features = _features(Path(sampling.features), spec)
    covered = len(features) * spec.hop
    if covered <= len(prime):
        raise UserError(
            f"{sampling.features} covers {covered} samples, and the prime alone has {len(prime)}: give "
            "features of the prime and of what is to follow."
        )
    return Plan(covered, prime, features, label, None)


def _prime(file: Path, spec: AudioSpec, reach: int) -> np.ndarray:
    sound, rate = read_wav(file)
    if rate != spec.sample_rate:
        raise UserError(
            f"{file} has {rate} samples a second, and the model was trained at {spec.sample_rate}: "
            "convert it first."
        )
    if len(sound) < reach:
        raise UserError(
            f"{file} has {len(sound)} samples, and the model sees {reach}: give a longer prime."
        )
    return sound


def _label(spec: AudioSpec, name: str | None) -> int | None:
    if not spec.labels:
        if name is not None:
            raise UserError("--label is for a model that was trained with labels: leave it out.")
        return None
    if name is not None and name not in spec.labels:
        raise UserError(f"There is no label {name!r}; {did_you_mean(name, spec.labels)}.")
    return 0 if name is None else spec.labels.index(name)


def _features(file: Path, spec: AudioSpec) -> np.ndarray:
    rows = read_features(file)
    if rows.shape[1] != spec.num_features:
        raise UserError(
            f"{file} has {rows.shape[1]} numbers a frame, and the model was trained with "
            f"{spec.num_features}: give those."
        )
    return rows


def sample_sound(
    model: SoundModel,
    output: Output,
    params: Any,
    key: Any,
    path: Path,
    spec: AudioSpec,
    sampling: SoundSampling,
    plan: Plan,
) -> Path:
    """Write path.wav and its spectrogram, path.png; returns the wav file's path.

    Beneath what a voice was asked to say the picture has how the voice itself says it.
    """
    prime = output.signal(jnp.asarray(plan.prime[None] / np.float32(32768.0)))
    drawn = draw_sound(
        model, output, params, key[None], plan.length, prime,
        None if plan.features is None else jnp.asarray(plan.features[None]),
        None if plan.label is None else jnp.full(1, plan.label),
        temperature=sampling.temperature, hop=spec.hop,
    )  # fmt: skip
    sound = to_16_bits(np.asarray(output.wave(drawn.signal[0])))
    shown = {"drawn" if not len(plan.prime) else "given, then drawn": sound}
    if plan.script is not None and spec.hop == hop_of(spec.sample_rate):
        shown["the voice itself"] = to_16_bits(
            speak(plan.script, spec.sample_rate, np.random.default_rng(0))
        )
    save_spectrograms(shown, spec.sample_rate, path, boundary=len(plan.prime))
    return write_wav(path.with_name(path.name + ".wav"), sound, spec.sample_rate)


def draw_batch(
    model: SoundModel,
    output: Output,
    params: Any,
    features: np.ndarray,
    hop: int,
    temperature: float,
    seed: int = 0,
) -> np.ndarray:
    """Sound in [-1, 1] of rows of features (B, frames, C), each with a key of its own."""
    keys = jax.random.split(jax.random.key(seed), len(features))
    drawn = draw_sound(
        model, output, params, keys, features.shape[1] * hop, jnp.zeros((len(features), 0)),
        jnp.asarray(features), temperature=temperature, hop=hop,
    )  # fmt: skip
    return np.asarray(output.wave(drawn.signal))
