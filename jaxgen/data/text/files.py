"""Texts: any UTF-8 file, and the reference manual that every Python brings along.

A text is split by position: its last tenth of characters is held out. Shuffling would put
neighbours of held-out characters into the training part.
"""

from importlib import import_module
from pathlib import Path

from jaxgen.data.named import find_named
from jaxgen.data.reading import read_bytes
from jaxgen.data.text.streams import Stretch, decoded, whole
from jaxgen.errors import UserError

IN_MEMORY_BYTES = 2**24
"""A longer text is turned into a file of tokens, a piece at a time, and read from there."""


def held_out_tenth(text: str) -> tuple[str, str]:
    """The first ⌊9 n / 10⌋ of the n characters, and the rest."""
    boundary = len(text) * 9 // 10
    return text[:boundary], text[boundary:]


def text_file(path: Path) -> tuple[str, str] | tuple[Stretch, Stretch]:
    """The text of a UTF-8 file, unchanged (line ends too), without and with its last tenth.

    Of a long one the whole file, twice: it is read when its tokenizer is known.

    Raises:
      UserError: the file cannot be read, is empty, is not UTF-8, or has a NUL in it.
    """
    text = whole(path)
    if text.stop - text.start > IN_MEMORY_BYTES:
        return text, text
    content = read_bytes(path)[text.start :]
    return held_out_tenth(decoded(path, content, text.start))


def shakespeare() -> tuple[str, str] | tuple[Stretch, Stretch]:
    """A million characters of Shakespeare's plays, as char-rnn and nanoGPT train on them.

    Raises:
      UserError: the file is not on this machine.
    """
    address = (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
    )
    return text_file(find_named("shakespeare", "tinyshakespeare.txt", [], f"get it from {address}"))


def python_reference() -> tuple[str, str]:
    """The help topics of Python's language reference, joined in the order of their keys.

    About half a million characters of English and code from the standard library's
    `pydoc_data.topics` (PSF licence). The text differs from one Python version to the next, so
    losses on it can be compared within one version only.

    Raises:
      UserError: this Python was installed without its help topics.
    """
    try:
        topics = import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise UserError(
            "This Python has no help topics (pydoc_data.topics): install the full Python of your "
            "system, or use text:FILE."
        ) from error
    return held_out_tenth("\n".join(topics[key] for key in sorted(topics)))
