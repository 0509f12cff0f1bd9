"""What a model and a sampler need to know of the data, without the data: sizes, and the tokenizer.

A spec is saved beside a trained model, so it becomes plain JSON types and comes back from them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jaxgen.data.datasets import Images, Tokens
from jaxgen.data.tokenizers import Tokenizer, tokenizer_from_json


@dataclass(frozen=True)
class ImageSpec:
    """The sizes of every image, and the number of classes.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: C; 1 for grey images.
        num_classes: labels are 0 .. num_classes - 1; None where the source has no labels.
    """

    height: int
    width: int
    channels: int
    num_classes: int | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return self.height, self.width, self.channels

    def to_json(self) -> dict[str, Any]:
        """The four sizes, and `"kind": "images"`."""
        return {"kind": "images", **asdict(self)}


@dataclass(frozen=True)
class TextSpec:
    """The tokenizer, with the vocabulary it was given.

    Attributes:
        tokenizer: from text to ids and back.
        first_token: the first id of the training text, which a sample without a prompt begins with.
    """

    tokenizer: Tokenizer
    first_token: int

    @property
    def vocab_size(self) -> int:
        """V, the number of different tokens."""
        return self.tokenizer.vocab_size

    def to_json(self) -> dict[str, Any]:
        """Both as JSON types, and `"kind": "text"`."""
        fields = {"tokenizer": self.tokenizer.to_json(), "first_token": self.first_token}
        return {"kind": "text", **fields}


def spec_from_json(values: Mapping[str, Any]) -> ImageSpec | TextSpec:
    """The spec whose `to_json` gave `values`.

    Raises KeyError, TypeError or ValueError where something is missing or of another kind.
    """
    if values["kind"] == "text":
        tokenizer = tokenizer_from_json(values["tokenizer"])
        return TextSpec(tokenizer, _whole(values, "first_token", 0, tokenizer.vocab_size))
    classes = None if values["num_classes"] is None else _whole(values, "num_classes")
    sizes = {name: _whole(values, name) for name in ("height", "width", "channels")}
    return ImageSpec(**sizes, num_classes=classes)


def _whole(values: Mapping[str, Any], name: str, least: int = 1, end: int = 2**31) -> int:
    """A whole number from `least` on, below `end`."""
    value = values[name]
    if type(value) is not int or not least <= value < end:
        raise ValueError(f"{name} is {value!r}")
    return value


@dataclass(frozen=True, eq=False)
class Data:
    """A source, loaded: its training part, its held-out part, and what both have in common."""

    train: Images | Tokens
    test: Images | Tokens
    spec: ImageSpec | TextSpec
