"""What a person sets of drawn sound; no jax here, so that help is quick."""

import math
from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class SoundSampling:
    """How sound is drawn, as a wav file with a picture of its spectrogram beside it."""

    seconds: float = 2.0
    """Of sound to draw, behind the prime; where a text or features say how long it is, they do."""
    temperature: float = 1.0
    """Divides the logits: 1 samples the model as it is, less draws what is likely."""
    prime: str | None = None
    """A wav file that the sound goes on from, at least as long as the model's receptive field."""
    label: str | None = None
    """What the clip is to be of, where the data has labels; None: the first of them."""
    features: str | None = None
    """A .npy file of the frames' features, for a model that was trained with --hop."""
    text: str = "aeiou"
    """What a voice is to say, where the data has one."""
    pitch: tuple[float, ...] = (120.0,)
    """In Hz: one, or one for each vowel."""
    vowel_seconds: float = 0.2
    """How long each vowel lasts."""

    def __post_init__(self):
        check(self, "seconds", lambda x: 0 < x <= 600, "above 0, up to 600", "sampling.")
        check(
            self, "temperature", lambda x: 0 < x < math.inf, "a finite number above 0", "sampling."
        )
        check(
            self, "pitch", lambda x: x and all(0 < hertz < 1e5 for hertz in x),
            "one or more numbers of Hz above 0", "sampling.",
        )  # fmt: skip
        check(self, "vowel_seconds", lambda x: 0.02 <= x <= 10, "0.02 to 10", "sampling.")
