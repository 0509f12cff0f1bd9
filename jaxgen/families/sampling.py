"""What a person sets of sampling; no jax here, so that help is quick."""

import math
from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class ImageSampling:
    """How images are drawn."""

    count: int = 64
    """Images in the grid."""

    def __post_init__(self):
        check(self, "count", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")


@dataclass(frozen=True)
class TextSampling:
    """How text is drawn; see `jaxgen.equations.sampling` for the distribution."""

    prompt: str | None = None
    """The text that is continued; the first token of the training text where none is given."""
    max_tokens: int = 500
    """Tokens to draw after the prompt, at most."""
    temperature: float = 0.8
    """Divides the logits: 0 always takes the likeliest token, 1 samples the model as it is."""
    top_k: int | None = None
    """Draw from so many of the likeliest tokens only."""
    top_p: float = 1.0
    """Draw from the fewest of the likeliest tokens whose probabilities sum to this or more."""
    repetition_penalty: float = 1.0
    """Above 1: tokens that the text has already become less likely (Keskar et al. 2019)."""
    stop: tuple[str, ...] = ()
    """The text ends with any of these."""
    slide: bool = True
    """When the context is full, forget its older half; without it the text ends there."""

    def __post_init__(self):
        rules = {
            "max_tokens": (lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000"),
            "temperature": (lambda x: 0 <= x < math.inf, "a finite number of 0 or more"),
            "top_k": (lambda x: x is None or x >= 1, "1 or more, or None"),
            "top_p": (lambda x: 0 < x <= 1, "a number above 0, up to 1"),
            "repetition_penalty": (lambda x: 1 <= x < math.inf, "a finite number of 1 or more"),
        }
        for field, (holds, wanted) in rules.items():
            check(self, field, holds, wanted, "sampling.")


@dataclass(frozen=True)
class PointSampling:
    """How points are drawn."""

    count: int = 2500
    """Points in the cloud."""

    def __post_init__(self):
        check(self, "count", lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000", "sampling.")
