"""`load`: from the name of a source, as a person writes it, to the data in memory.

digits            images: 1,797 handwritten digits, 8 × 8; comes with the package
idx:DIR           images: a folder of files in MNIST's format, gzipped or not
npz:FILE          images: arrays in NumPy's archive format
python-reference  text: Python's language reference; comes with Python
text:FILE         text: a UTF-8 file
tfds:NAME         images or text: a set of tensorflow-datasets
"""

import difflib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgen.data.datasets import Images, Tokens
from jaxgen.data.digits import digits
from jaxgen.data.idx import idx_folder
from jaxgen.data.npz import npz_file
from jaxgen.data.specs import Data, ImageSpec, TextSpec
from jaxgen.data.text import python_reference, text_file
from jaxgen.data.tfds import tfds_images, tfds_text
from jaxgen.data.tokenizers import TOKENIZERS, CharacterTokenizer, Tokenizer, WordTokenizer
from jaxgen.errors import UserError

Kind = Literal["images", "text"]


@dataclass(frozen=True)
class Source:
    """How to read a source: a function of what follows the colon, for each kind that it has.

    Attributes:
        images: to the training and the test images.
        text: to the training and the held-out text.
        argument: what follows the colon, for messages; empty where there is no colon.
    """

    images: Callable[[str], tuple[Images, Images]] | None = None
    text: Callable[[str], tuple[str, str]] | None = None
    argument: str = ""


SOURCES = {
    "digits": Source(images=lambda _: digits()),
    "idx": Source(images=lambda folder: idx_folder(_path(folder)), argument="DIR"),
    "npz": Source(images=lambda file: npz_file(_path(file)), argument="FILE"),
    "python-reference": Source(text=lambda _: python_reference()),
    "text": Source(text=lambda file: text_file(_path(file)), argument="FILE"),
    "tfds": Source(images=tfds_images, text=tfds_text, argument="NAME"),
}
"""All sources by name."""


def load(
    source: str, *, kind: Kind, tokenizer: str = "characters", seq_len: int | None = None
) -> Data:
    """The data of a source, split into a training and a held-out part.

    Args:
        source: `name` or `name:argument`, see the module's docstring.
        kind: what the model works on.
        tokenizer: `characters`, `bytes` or `words`; for text only.
        seq_len: T, the tokens of one example; for text only, where it must be given.

    Raises:
        UserError: the source is not known, is of the other kind or cannot be read, the tokenizer is
            not known, or the text is too short for seq_len.
    """
    name, colon, argument = source.partition(":")
    if name not in SOURCES:
        known = (f"{key}:{value.argument}".rstrip(":") for key, value in SOURCES.items())
        raise UserError(f"The source {source!r} is not known: {_choices(name, SOURCES, known)}.")
    form = f"{name}:{SOURCES[name].argument}".rstrip(":")
    if bool(argument) != bool(SOURCES[name].argument) or (colon and not argument):
        raise UserError(f"The source {source!r} is incomplete or has too much: write {form}.")
    read = getattr(SOURCES[name], kind)
    if read is None:
        suitable = [key for key, value in SOURCES.items() if getattr(value, kind) is not None]
        raise UserError(
            f"The source {source!r} does not hold {kind}, which this model works on: choose one of "
            f"{', '.join(suitable)}."
        )
    if kind == "images":
        return _image_data(*read(argument))
    if seq_len is None:
        raise UserError(f"The text {source!r} needs a sequence length: set seq_len.")
    return _text_data(*read(argument), tokenizer, seq_len)


def _path(argument: str) -> Path:
    """A path as a person writes it; after a colon the shell leaves a tilde as it is."""
    return Path(os.path.expanduser(argument))  # noqa: PTH111  (pathlib's fails on unknown users)


def _choices(name: str, choices: Iterable[str], shown: Iterable[str]) -> str:
    """The end of an error message: the nearest of the choices, and all of them."""
    nearest = difflib.get_close_matches(name, choices, n=1)
    suggestion = f"did you mean {nearest[0]!r}? Otherwise " if nearest else ""
    return f"{suggestion}choose one of {', '.join(shown)}"


def _image_data(train: Images, test: Images) -> Data:
    """The data of two splits of images, and the spec that both share."""
    height, width, channels = train.arrays["image"].shape[1:]
    labels = [part.arrays["label"] for part in (train, test) if "label" in part.arrays]
    num_classes = 1 + int(max(label.max() for label in labels)) if labels else None
    return Data(train, test, ImageSpec(height, width, channels, num_classes))


def _text_data(train: str, test: str, tokenizer_name: str, seq_len: int) -> Data:
    """The tokens of two parts of a text, and the tokenizer made for it."""
    tokenizer = _make_tokenizer(tokenizer_name, train, test)
    lossy = isinstance(tokenizer, WordTokenizer)
    parts = [
        Tokens({"tokens": tokenizer.encode(text)}, seq_len, None if lossy else len(text))
        for text in (train, test)
    ]
    return Data(*parts, TextSpec(tokenizer, first_token=int(parts[0].arrays["tokens"][0])))


def _make_tokenizer(name: str, train: str, test: str) -> Tokenizer:
    """A tokenizer by name, with its vocabulary.

    Characters know the whole text, since none may be unknown; words the training part only, as a
    held-out word may well be `<UNK>`.
    """
    if name not in TOKENIZERS:
        raise UserError(
            f"The tokenizer {name!r} is not known: {_choices(name, TOKENIZERS, TOKENIZERS)}."
        )
    kind = TOKENIZERS[name]
    if kind is CharacterTokenizer:
        return kind.of(train + test)
    return kind.of(train) if kind is WordTokenizer else kind()
