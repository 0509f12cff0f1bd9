"""What a model of sound says of the next sample: levels of the μ-law, or a mixture of logistics.

In the catalogue: `lm.cross-entropy`, `lm.sampling`, `sound.companding`, `sound.expanding`,
`sound.logistic-mixture`.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import language, sound
from jaxgen.equations.sampling import sampling_log_probs

LEVELS_16_BITS = 2**16


class Output(ABC):
    """How sound in [-1, 1) is read, how a model's outputs are a distribution, and drawn from."""

    @property
    @abstractmethod
    def size(self) -> int:
        """V, the model's outputs for a sample."""

    @property
    @abstractmethod
    def read_levels(self) -> int | None:
        """How many levels the signal has for the model to tell apart; None: too many."""

    @abstractmethod
    def signal(self, wave: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """What the model reads in the place of a wave."""

    @abstractmethod
    def wave(self, signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """The inverse of `signal`, up to its levels."""

    @abstractmethod
    def nats(self, outputs: Float[Array, "*B V"], signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """−log p of each sample."""

    @abstractmethod
    def draw(self, key: Any, outputs: Float[Array, " V"], temperature: float) -> Float[Array, ""]:
        """A sample's signal."""

    @abstractmethod
    def log_probs(
        self, outputs: Float[Array, "B V"], signal: Float[Array, " B"], temperature: float
    ) -> Float[Array, " B"]:
        """With which `draw` draws each."""


class MuLaw(Output):
    """A softmax over the levels of companded sound."""

    def __init__(self, levels: int):
        self.levels = levels

    @property
    def size(self) -> int:
        """One logit a level."""
        return self.levels

    @property
    def read_levels(self) -> int:
        """Each has a vector of its own."""
        return self.levels

    @partial(jax.jit, static_argnums=0)
    def signal(self, wave: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """Companded, at the nearest level."""
        return sound.from_levels(self._level(sound.compand(wave, self.levels - 1.0)), self.levels)

    @partial(jax.jit, static_argnums=0)
    def wave(self, signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """Expanded."""
        return sound.expand(signal, self.levels - 1.0)

    def nats(self, outputs: Float[Array, "*B V"], signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """Cross-entropy of the levels."""
        return language.cross_entropy(outputs, self._level(signal))

    def draw(self, key: Any, outputs: Float[Array, " V"], temperature: float) -> Float[Array, ""]:
        """By the logits over the temperature."""
        level = jax.random.categorical(key, sampling_log_probs(outputs, temperature))
        return sound.from_levels(level, self.levels)

    def log_probs(
        self, outputs: Float[Array, "B V"], signal: Float[Array, " B"], temperature: float
    ) -> Float[Array, " B"]:
        """Of the levels."""
        log_probs = sampling_log_probs(outputs, temperature)
        return jnp.take_along_axis(log_probs, self._level(signal)[:, None], axis=1)[:, 0]

    def _level(self, companded: Array) -> Array:
        return sound.to_levels(companded, self.levels)


class Logistics(Output):
    """A mixture of logistics over the levels of 16 bits."""

    def __init__(self, mixtures: int):
        self.mixtures = mixtures

    @property
    def size(self) -> int:
        """Weight, place and scale of each."""
        return 3 * self.mixtures

    @property
    def read_levels(self) -> None:
        """65,536 levels have no vectors of their own."""
        return None

    @partial(jax.jit, static_argnums=0)
    def signal(self, wave: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """The same sound, its 65,536 levels from -1 to 1."""
        level = jnp.round(wave * (LEVELS_16_BITS / 2)) + LEVELS_16_BITS / 2
        return level * (2.0 / (LEVELS_16_BITS - 1)) - 1.0

    @partial(jax.jit, static_argnums=0)
    def wave(self, signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """Levels from -1 to 1 - 2^-15."""
        level = jnp.round((signal + 1.0) * (LEVELS_16_BITS - 1) / 2)
        return level * (2.0 / LEVELS_16_BITS) - 1.0

    def nats(self, outputs: Float[Array, "*B V"], signal: Float[Array, "*B"]) -> Float[Array, "*B"]:
        """Of the level's part of the mixture."""
        return sound.logistic_mixture_nats(self._parameters(outputs), signal, LEVELS_16_BITS)

    def draw(self, key: Any, outputs: Float[Array, " V"], temperature: float) -> Float[Array, ""]:
        """By a mixture whose scales and weights follow the temperature."""
        parameters = sound.tempered_mixture(self._parameters(outputs), temperature)
        return sound.sample_logistic_mixture(key, parameters, LEVELS_16_BITS)

    def log_probs(
        self, outputs: Float[Array, "B V"], signal: Float[Array, " B"], temperature: float
    ) -> Float[Array, " B"]:
        """Of the levels' parts of that mixture."""
        parameters = sound.tempered_mixture(self._parameters(outputs), temperature)
        return -sound.logistic_mixture_nats(parameters, signal, LEVELS_16_BITS)

    def _parameters(self, outputs: Array) -> Array:
        """At the start, where outputs are 0, logistics spread over [-1, 1] with scales near speech's."""
        spread = jnp.linspace(-0.1, 0.1, self.mixtures) if self.mixtures > 1 else jnp.zeros(1)
        start = jnp.concatenate([jnp.zeros_like(spread), spread, jnp.full(len(spread), -4.0)])
        return outputs + start.reshape((1,) * (outputs.ndim - 1) + (-1,))


def output_of(name: str, levels: int, mixtures: int) -> MuLaw | Logistics:
    """By the name that a person writes."""
    return MuLaw(levels) if name == "mu-law" else Logistics(mixtures)
