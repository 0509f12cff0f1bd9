"""What a person sets of images from a text; no jax here, so that help is quick."""

import math
from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class PromptSampling:
    """How images are drawn."""

    prompt: str | None = None
    """What is to be seen, in words that the captions have; None: captions of the held-out part."""
    count: int = 36
    """Images in the picture."""
    guidance: float = 2.0
    """w: 1 is the model as it is, 0 the one that is told nothing; beyond 1 the text is exaggerated."""
    temperature: float = 1.0
    """Divides the logits: 0 always takes the likeliest code, 1 samples the model as it is."""
    top_k: int | None = None
    """Draw from so many of the likeliest codes only."""
    top_p: float = 1.0
    """Draw from the fewest of the likeliest codes whose probabilities sum to this or more."""
    candidates: int = 1
    """Images drawn for each that is kept: the one that the judge finds most like the text."""

    def __post_init__(self):
        check(self, "count", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")
        check(self, "guidance", lambda x: 0 <= x < 1000, "0 or more, below 1000", "sampling.")
        rule = (lambda x: 0 <= x < math.inf, "a finite number of 0 or more")
        check(self, "temperature", *rule, "sampling.")
        check(self, "top_k", lambda x: x is None or x >= 1, "1 or more, or None", "sampling.")
        check(self, "top_p", lambda x: 0 < x <= 1, "a number above 0, up to 1", "sampling.")
        check(self, "candidates", lambda x: 1 <= x <= 1000, "1 to 1000", "sampling.")
