"""A tokenizer by the name that a person gives, for a text in memory or one that is read in pieces."""

from collections import Counter
from collections.abc import Callable, Iterable

from jaxgen.data.reading import as_path
from jaxgen.data.text.bpe import gpt2_tokenizer, refuse_size, train_bpe_on, words_of
from jaxgen.data.text.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    Tokenizer,
    WordTokenizer,
    unknown_tokenizer,
)

Cut = Callable[[str], Iterable[str]]
"""A text to its words."""


def parts_of(name: str) -> tuple[str, str]:
    """(what it is, its argument or nothing) of bytes, bpe:SIZE and the like; a UserError of others."""
    kind, _, argument = name.partition(":")
    is_number = argument.isdecimal() and argument.isascii() and len(argument) < 10
    wanted = {
        "characters": not argument, "bytes": not argument, "words": not argument,
        "bpe": is_number, "gpt2": bool(argument),
    }  # fmt: skip
    if not wanted.get(kind) or name.endswith(":"):
        raise unknown_tokenizer(name)
    if kind == "bpe":
        refuse_size(int(argument))
    return kind, argument


def make_tokenizer(
    name: str, characters: Callable[[], CharacterTokenizer], count: Callable[[Cut], Counter[str]]
) -> Tokenizer:
    """The tokenizer of this name, with its vocabulary.

    Raises UserError where there is none, or the text is too short for it.

    Args:
      characters: that of the whole text, of which none may be unknown.
      count: how often each word of the training text occurs, as it is cut into words: a held-out one may
        well be `<UNK>`, and any text is made of bytes.
    """
    kind, argument = parts_of(name)
    match kind:
        case "characters":
            return characters()
        case "bytes":
            return ByteTokenizer()
        case "words":
            return WordTokenizer.of_counts(count(lower_words))
        case "bpe":
            return train_bpe_on(count(words_of), int(argument))
        case _:
            return gpt2_tokenizer(as_path(argument))


def lower_words(text: str) -> list[str]:
    """The document's words: lower-cased, between white space."""
    return text.lower().split()
