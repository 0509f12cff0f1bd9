"""Held-out judgement of a model of sound: bits beside plain predictors', and what a voice says."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.audio import vowels
from jaxgen.data.audio.dataset import Waves
from jaxgen.data.audio.kind import AudioSpec
from jaxgen.families.sound.module import SoundModel
from jaxgen.families.sound.objective import window_nats
from jaxgen.families.sound.output import MuLaw, Output
from jaxgen.families.sound.sampling import draw_batch
from jaxgen.metrics.predictors import adaptive_bits, linear_bits, markov_bits
from jaxgen.metrics.voice import pitch_at, read_vowel

BATCH = 4
"""Windows that are judged at once."""
VOWELS_OF_A_TEXT, VOWEL_SECONDS = 4, 0.2
NEAR = 0.03
"""Of a pitch, how far from what was asked it may be."""


def make_sound_evaluation(
    experiment: Any, model: SoundModel, output: Output, spec: AudioSpec, reach: int
) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: every held-out sample once, given all that R lets it see.

    `loss` is in nats per sample, `bits_per_sample` the same in bits. Beside it, fitted to the training
    part at the same levels: `markov_bits` of a chain of order 2 and `linear_bits` of linear prediction
    of order 16, with the better of a Gaussian and a Laplace residual; `gain_bits` is the lesser of both
    minus ours. `adaptive_bits` is of linear prediction that is fitted to each last 50 ms: a harder one.
    Of a voice, over strings that it is given to say: `pitch_followed`, the share of voiced moments whose
    pitch is within 3 % of what was asked, and `vowels_read`, the share of vowels read back right.
    """

    @jax.jit
    def counted_nats(params, batch, counted):
        return jnp.where(counted, window_nats(model, output, params, batch), 0.0).sum(-1)

    known: list[tuple[Waves, dict[str, float]]] = []  # of the part that was trained on last

    def evaluate(weights, dataset) -> dict[str, float]:
        total, samples = 0.0, 0
        for batch in dataset.side_by_side(BATCH, reach - 1):
            counted = batch.pop("counted")
            nats = counted_nats(weights.params, batch, counted)
            total += float(np.sum(np.asarray(nats), dtype=np.float64))
            samples += int(counted.sum())
        bits = total / samples / math.log(2)
        metrics = {"loss": total / samples, "bits_per_sample": bits}
        if isinstance(output, MuLaw) and dataset.seen is not None:
            if not known or known[0][0] is not dataset.seen:
                plain = plain_bits(output, dataset.seen, dataset, spec.sample_rate)
                known[:] = [(dataset.seen, plain)]
            plain = known[0][1]
            gain = min(plain["markov_bits"], plain["linear_bits"]) - bits
            metrics |= plain | {"gain_bits": gain}
        if spec.voice and experiment.judge_texts:
            metrics |= judge_voice(model, output, weights.params, spec, experiment)
        return metrics

    return evaluate


def plain_bits(output: MuLaw, train: Waves, test: Waves, rate: int) -> dict[str, float]:
    """Of the plain predictors, on the levels that the model is judged on."""
    levels = output.levels

    def coded(part):
        # All clips at once, for one program; the silence before each is left out afterwards.
        value = output.signal(jnp.asarray(part.arrays["wave"] * np.float32(1 / 32768)))
        return part.clips(np.rint((np.asarray(value) + 1) * (levels - 1) / 2).astype(np.int32))

    seen, held_out = coded(train), coded(test)
    places = np.arange(2 * levels - 1) / (levels - 1) - 1.0  # levels, and the ends between two
    amplitudes = np.asarray(output.wave(jnp.asarray(places, jnp.float32)), np.float64)
    values, edges = amplitudes[::2], amplitudes[1::2]
    linear = linear_bits(seen, held_out, values, edges)
    block = max(1, rate // 100)
    return {
        "markov_bits": markov_bits(seen, held_out, levels),
        "linear_bits": min(linear.values()),
        "adaptive_bits": adaptive_bits(held_out, values, edges, block=block, window=5 * block),
    }


def judge_voice(
    model: SoundModel, output: Output, params: Any, spec: AudioSpec, experiment: Any, seed: int = 0
) -> dict[str, float]:
    """Strings at random, always the same, said by the model at its temperature and read back."""
    count, temperature = experiment.judge_texts, experiment.sampling.temperature
    scripts = [random_script(np.random.default_rng([seed, i])) for i in range(count)]
    features = np.stack([script.features() for _, script in scripts])
    sounds = draw_batch(model, output, params, features, spec.hop, temperature, seed)
    return heard(sounds, scripts, spec)


def random_script(rng: np.random.Generator) -> tuple[str, vowels.Script]:
    """A string of vowels and how it is to be said."""
    text = "".join(rng.choice(list(vowels.FORMANTS), VOWELS_OF_A_TEXT))
    span = vowels.HIGHEST / vowels.LOWEST
    pitch = tuple(float(p) for p in vowels.LOWEST * span ** rng.random(VOWELS_OF_A_TEXT))
    return text, vowels.script_of(text, pitch, VOWEL_SECONDS)


def heard(
    sounds: np.ndarray, scripts: list[tuple[str, vowels.Script]], spec: AudioSpec
) -> dict[str, float]:
    """`pitch_followed` in all voiced frames, and `vowels_read` in the middle half of each vowel."""
    rate, hop = spec.sample_rate, spec.hop
    follows, right = [], []
    length = round(VOWEL_SECONDS * vowels.FRAMES_PER_SECOND)
    for sound, (text, script) in zip(sounds, scripts, strict=True):
        for frame in np.flatnonzero(script.vowels >= 0):
            pitch = pitch_at(sound, rate, int(frame) * hop + hop // 2)
            asked = script.pitch[frame]
            follows.append(pitch is not None and abs(pitch / asked - 1) <= NEAR)
        for number, vowel in enumerate(text):
            first = vowels.PAUSE_FRAMES + number * length
            middle = slice((first + length // 4) * hop, (first + 3 * length // 4) * hop)
            right.append(read_vowel(sound[middle], rate, vowels.FORMANTS) == vowel)
    return {"pitch_followed": float(np.mean(follows)), "vowels_read": float(np.mean(right))}
