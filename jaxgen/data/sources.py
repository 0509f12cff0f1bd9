"""`load`: from the name of a source, as a person writes it, to the data in memory.

A source is `name` or `name:argument`:

    digits            1,797 images of handwritten digits, 8 × 8; comes with the package
    python-reference  the text of Python's language reference; comes with Python
"""

import difflib
from collections.abc import Iterable
from typing import Literal

from jaxgen.data.datasets import Images, Tokens
from jaxgen.data.digits import digits
from jaxgen.data.specs import Data, ImageSpec, TextSpec
from jaxgen.data.text import python_reference
from jaxgen.data.tokenizers import TOKENIZERS, CharacterTokenizer, Tokenizer, WordTokenizer
from jaxgen.errors import UserError

Kind = Literal["images", "text"]

IMAGE_SOURCES = {"digits": lambda argument: digits()}
TEXT_SOURCES = {"python-reference": lambda argument: python_reference()}


def load(
    source: str, *, kind: Kind, tokenizer: str = "characters", seq_len: int | None = None
) -> Data:
    """The data of a source, split into a training and a held-out part.

    Args:
        source: `name` or `name:argument`, see the module's docstring.
        kind: what the model works on.
        tokenizer: `characters`, `bytes` or `words`; for text only.
        seq_len: T, the tokens of one example; needed for text only.

    Raises:
        UserError: the source is not known, is of the other kind or cannot be read, the tokenizer is
            not known, or the text is too short for seq_len.
    """
    known = {"images": IMAGE_SOURCES, "text": TEXT_SOURCES}
    name, _, argument = source.partition(":")
    if name not in known[kind]:
        raise UserError(f"The source {source!r} is not known: {_choices(name, known[kind])}.")
    read = known[kind][name]
    if kind == "images":
        return _image_data(*read(argument))
    if seq_len is None:
        raise UserError(f"The text {source!r} needs a sequence length: set seq_len.")
    return _text_data(*read(argument), tokenizer, seq_len)


def _choices(name: str, choices: Iterable[str]) -> str:
    """The end of an error message: the nearest of the choices, and all of them."""
    nearest = difflib.get_close_matches(name, choices, n=1)
    suggestion = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{suggestion}choose one of {', '.join(choices)}"


def _image_data(train: Images, test: Images) -> Data:
    """The data of two splits of images, and the spec that both share."""
    height, width, channels = train.arrays["image"].shape[1:]
    labels = [part.arrays["label"] for part in (train, test) if "label" in part.arrays]
    num_classes = 1 + int(max(label.max() for label in labels)) if labels else None
    return Data(train, test, ImageSpec(height, width, channels, num_classes))


def _text_data(train: str, test: str, tokenizer_name: str, seq_len: int) -> Data:
    """The tokens of two parts of a text, and the tokenizer made for it."""
    tokenizer = _make_tokenizer(tokenizer_name, train, test)
    parts = (
        Tokens({"tokens": tokenizer.encode(text)}, seq_len, num_characters=len(text))
        for text in (train, test)
    )
    return Data(*parts, TextSpec(tokenizer))


def _make_tokenizer(name: str, train: str, test: str) -> Tokenizer:
    """A tokenizer by name, with its vocabulary.

    Characters know the whole text, since none may be unknown; words the training part only, as a
    held-out word may well be `<UNK>`.
    """
    if name not in TOKENIZERS:
        raise UserError(f"The tokenizer {name!r} is not known: {_choices(name, TOKENIZERS)}.")
    kind = TOKENIZERS[name]
    if kind is CharacterTokenizer:
        return kind.of(train + test)
    return kind.of(train) if kind is WordTokenizer else kind()
