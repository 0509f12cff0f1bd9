"""What a person sets of sampling; no jax here, so that help is quick."""

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
    """How text is drawn."""

    prompt: str = ""
    """The text that is continued; the first token of the training text where none is given."""
    length: int = 500
    """Tokens to draw after the prompt."""
    temperature: float = 0.8
    """Divides the logits: 0 always takes the likeliest token, 1 samples the model as it is."""

    def __post_init__(self):
        check(self, "length", lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000", "sampling.")
        check(self, "temperature", lambda x: x >= 0, "0 or more", "sampling.")
