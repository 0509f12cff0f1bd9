"""Images with captions as a kind of data: where they come from, and what a model needs to know."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jaxgen.data.captions.scenes import FORMS, LANGUAGES, NAMES, Language
from jaxgen.data.captions.shapes import all_shapes, shapes
from jaxgen.data.images.dataset import Images
from jaxgen.data.images.digits import digits
from jaxgen.data.kind import Data, Kind, Source, whole


@dataclass(frozen=True)
class CaptionSpec:
    """The sizes of every image, and the language of its captions.

    Attributes:
      height, width: in pixels. channels: C.
      language: a key of `scenes.LANGUAGES`, which has the words and what captions mean.
    """

    height: int
    width: int
    channels: int
    language: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return self.height, self.width, self.channels

    @property
    def words(self) -> Language:
        """The language itself."""
        return LANGUAGES[self.language]

    @property
    def vocab_size(self) -> int:
        """Tokens of captions: the words, and the one for no word."""
        return 1 + len(self.words.words)

    @property
    def attributes(self) -> tuple[int, ...]:
        """The number of values of each attribute that can be read off an image."""
        return self.words.attributes

    def to_json(self) -> dict[str, Any]:
        """Its fields, and `"kind": "captions"`."""
        return {"kind": "captions", **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "CaptionSpec":
        """The inverse of `to_json`; KeyError, TypeError or ValueError where it is damaged."""
        if values["language"] not in LANGUAGES:
            raise ValueError(f"language is {values['language']!r}")
        sizes = {name: whole(values, name) for name in ("height", "width", "channels")}
        return cls(**sizes, language=values["language"])


def captioned_digits() -> tuple[Images, Images, str]:
    """The digits, each with one of four captions in turn, and its value as its one attribute."""
    language = LANGUAGES["digits"]

    def captioned(part: Images) -> Images:
        label = part.arrays["label"]
        texts = [FORMS[i % len(FORMS)].format(NAMES[value]) for i, value in enumerate(label)]
        caption = np.stack([language.encode(text) for text in texts])
        image = part.arrays["image"]
        return Images(
            {"image": image, "caption": caption, "attributes": label[:, None]}, part.levels
        )

    train, test = digits()
    return captioned(train), captioned(test), "digits"


def caption_data(train: Images, test: Images, language: str) -> Data:
    """The data of two splits and their language."""
    height, width, channels = train.arrays["image"].shape[1:]
    return Data(train, test, CaptionSpec(height, width, channels, language))


KIND = Kind(
    {
        "captioned-digits": Source(lambda _: captioned_digits()),
        "shapes": Source(lambda _: shapes()),
        "shapes-all": Source(lambda _: all_shapes()),
    },
    caption_data,
    CaptionSpec.from_json,
)
