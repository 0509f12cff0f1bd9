"""Tokenizers: text to integers and back.

Any Unicode text passes through characters and bytes unchanged.

All have one surface: `encode(text) -> int32 [n]`, `decode(ids) -> str`, `vocab_size`, `specials`, and
`to_json` / `from_json`, whose values are plain JSON types, so that a vocabulary travels with the
model it belongs to. `decode` raises ValueError for an id outside of the vocabulary; that is a
defect of the caller's.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int32, UInt32

from jaxgen.errors import UserError
from jaxgen.suggest import did_you_mean


@runtime_checkable  # so that beartype can check it in tests
class Tokenizer(Protocol):
    """What every tokenizer can do."""

    name: ClassVar[str]

    @property
    def separator(self) -> str:
        """What stands between two pieces of text that are decoded apart."""

    @property
    def vocab_size(self) -> int:
        """V; the ids are 0 .. V - 1."""

    @property
    def specials(self) -> dict[str, int]:
        """The ids that stand for no text, by name; a text that spells one is encoded as text.

        What a tokenizer gives for words that it does not know is the one exception.
        """

    def encode(self, text: str) -> np.ndarray:
        """The text as int32 [n]."""

    def decode(self, ids: Any) -> str:
        """The text that the ids [n] stand for."""

    def to_json(self) -> dict[str, Any]:
        """Everything that `tokenizer_from_json` needs, as plain JSON types."""


def _codepoints(text: str) -> UInt32[np.ndarray, " n"]:
    """Unicode code points; lone surrogates pass, and are unknown characters later."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


def checked_ids(ids: Int[Any, " n"], vocab_size: int) -> Int[np.ndarray, " n"]:
    """The ids as a NumPy array; a negative one would count from the end of a vocabulary unseen."""
    ids = np.asarray(ids)
    if ids.size and not 0 <= ids.min() <= ids.max() < vocab_size:
        raise ValueError(f"ids from {ids.min()} to {ids.max()} in a vocabulary of {vocab_size}")
    return ids


@dataclass(frozen=True)
class CharacterTokenizer:
    """One token for each character (Unicode code point) of a vocabulary.

    Attributes:
      characters: the vocabulary, distinct and in the order of their code points; the id of a
        character is its place here.
    """

    characters: str
    name: ClassVar[str] = "characters"

    @classmethod
    def of(cls, text: str) -> "CharacterTokenizer":
        """The tokenizer whose vocabulary is the distinct characters of `text`."""
        return cls("".join(sorted(set(text))))

    @property
    def vocab_size(self) -> int:
        """V, the number of distinct characters."""
        return len(self.characters)

    @property
    def separator(self) -> str:
        """Nothing: pieces are joined as they are."""
        return ""

    @property
    def specials(self) -> dict[str, int]:
        """None."""
        return {}

    @cached_property
    def _vocabulary(self) -> UInt32[np.ndarray, " V"]:
        return _codepoints(self.characters)

    @cached_property
    def _ids(self) -> Int32[np.ndarray, " largest"]:
        """By code point; V for those between, and for one more after the largest."""
        ids = np.full(int(self._vocabulary.max(initial=0)) + 2, self.vocab_size, np.int32)
        ids[self._vocabulary] = np.arange(self.vocab_size, dtype=np.int32)
        return ids

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The place of each character in the vocabulary.

        Raises:
          UserError: a character is not in the vocabulary.
        """
        codepoints = _codepoints(text)
        ids = self._ids[np.minimum(codepoints, len(self._ids) - 1)]
        if ids.size and ids.max() == self.vocab_size:
            unknown = int(codepoints[np.argmax(ids)])
            raise UserError(
                f"The character {chr(unknown)!r} (U+{unknown:04X}) is not in the vocabulary of "
                f"{self.vocab_size} characters: leave it out, or train on text that has it, or "
                "train with the tokenizer 'bytes'."
            )
        return ids

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The characters at these places of the vocabulary."""
        codepoints = self._vocabulary[checked_ids(ids, self.vocab_size)]
        return codepoints.tobytes().decode("utf-32-le", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """`{"name": "characters", "characters": …}`."""
        return {"name": self.name, "characters": self.characters}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "CharacterTokenizer":
        """The inverse of `to_json`."""
        characters = values["characters"]
        if not isinstance(characters, str):
            raise TypeError("characters is not a text")
        return cls(characters)


@dataclass(frozen=True)
class ByteTokenizer:
    """One token for each byte of the text's UTF-8: 256 of them, and no text is foreign."""

    name: ClassVar[str] = "bytes"

    @property
    def vocab_size(self) -> int:
        """V = 256."""
        return 256

    @property
    def separator(self) -> str:
        """Nothing: pieces are joined as they are."""
        return ""

    @property
    def specials(self) -> dict[str, int]:
        """None."""
        return {}

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The bytes of the UTF-8 form.

        Raises:
          UserError: the text holds half of a surrogate pair, which is not Unicode text.
        """
        self.refuse_halves(text)
        return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)

    @staticmethod
    def refuse_halves(text: str) -> None:
        """Raise a UserError where the text holds half of a surrogate pair."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                f"The text holds {text[error.start]!r}, half of a character: give it as UTF-8."
            ) from error

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The text of these bytes; where they are not UTF-8, the replacement character U+FFFD.

        A model draws one byte at a time, so what it has drawn may end within a character.
        """
        return checked_ids(ids, 256).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """`{"name": "bytes"}`."""
        return {"name": self.name}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ByteTokenizer":
        """The inverse of `to_json`."""
        return cls()


@dataclass(frozen=True)
class WordTokenizer:
    """One token for each lower-cased word between white space, as in document 003, section 5.2.

    Ids 0, 1 and 2 are `<PAD>`, `<EOS>` and `<UNK>`; the words follow, the most frequent first and
    equally frequent ones by alphabet. Since words are lower-cased, none can be taken for a
    special one. Where this departs from the document: there the three ids overwrite those of
    three words, and unknown words vanish; here every word has its own id, and unknown words
    become `<UNK>`. `encode` adds no `<EOS>`: whoever ends a text appends `WordTokenizer.EOS`, and
    a prompt does not end.

    Attributes:
      words: the vocabulary from id 3 on.
    """

    words: tuple[str, ...]
    name: ClassVar[str] = "words"
    SPECIAL: ClassVar[tuple[str, ...]] = ("<PAD>", "<EOS>", "<UNK>")
    PAD: ClassVar[int] = 0
    EOS: ClassVar[int] = 1
    UNK: ClassVar[int] = 2

    @classmethod
    def of(cls, text: str, max_vocab_size: int = 10_000) -> "WordTokenizer":
        """The tokenizer of the words of `text`; `max_vocab_size` counts the special ones too."""
        return cls.of_counts(Counter(text.lower().split()), max_vocab_size)

    @classmethod
    def of_counts(cls, counts: Counter, max_vocab_size: int = 10_000) -> "WordTokenizer":
        """The same of words that were counted."""
        words = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(words[: max_vocab_size - len(cls.SPECIAL)]))

    @property
    def vocab_size(self) -> int:
        """V, the words and the three special ones."""
        return len(self._vocabulary)

    @property
    def separator(self) -> str:
        """A space."""
        return " "

    @property
    def specials(self) -> dict[str, int]:
        """`<PAD>`, `<EOS>`, `<UNK>`; the last is what words outside of the vocabulary become."""
        return {name: index for index, name in enumerate(self.SPECIAL)}

    @cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        return self.SPECIAL + self.words

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self._vocabulary)}

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The id of each word, `<UNK>` for those outside of the vocabulary."""
        return np.array([self._ids.get(word, self.UNK) for word in text.lower().split()], np.int32)

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The words with one space between them; the special ones appear as written above."""
        return " ".join(self._vocabulary[index] for index in checked_ids(ids, self.vocab_size))

    def to_json(self) -> dict[str, Any]:
        """`{"name": "words", "words": […]}`."""
        return {"name": self.name, "words": list(self.words)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "WordTokenizer":
        """The inverse of `to_json`."""
        words = values["words"]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TypeError("words is not a list of texts")
        return cls(tuple(words))


@dataclass(frozen=True)
class NumberTokenizer:
    """Tokens that stand for nothing but their ids, written as numbers: for data without a text.

    Attributes:
      vocab_size: V.
    """

    vocab_size: int
    name: ClassVar[str] = "numbers"

    @property
    def separator(self) -> str:
        """A space."""
        return " "

    @property
    def specials(self) -> dict[str, int]:
        """None."""
        return {}

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The numbers between white space.

        Raises:
          UserError: a word is no number, or one outside of the vocabulary.
        """
        for word in text.split():
            number = word.isdecimal() and word.isascii() and len(word) < 11  # 2^31 has ten digits
            if not (number and int(word) < self.vocab_size):
                raise UserError(
                    f"{word!r} is no token of this model: give numbers from 0 to {self.vocab_size - 1}."
                )
        return np.array(text.split(), np.int32)

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The numbers with one space between them."""
        return " ".join(map(str, checked_ids(ids, self.vocab_size).tolist()))

    def to_json(self) -> dict[str, Any]:
        """`{"name": "numbers", "vocab_size": …}`."""
        return {"name": self.name, "vocab_size": self.vocab_size}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "NumberTokenizer":
        """The inverse of `to_json`."""
        size = values["vocab_size"]
        if type(size) is not int or not 1 <= size < 2**31:
            raise ValueError(f"vocab_size is {size!r}")
        return cls(size)


FORMS = ("characters", "bytes", "words", "bpe:SIZE", "gpt2:FOLDER")


def unknown_tokenizer(name: str) -> UserError:
    """What to say of a name that no tokenizer has."""
    return UserError(f"The tokenizer {name!r} is not known; {did_you_mean(name, FORMS)}.")


def tokenizer_from_json(values: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer whose `to_json` gave `values`."""
    from jaxgen.data.text.bpe import BPETokenizer  # these are made of what is above
    from jaxgen.data.text.specials import WithSpecials

    kinds: tuple[Any, ...] = (
        CharacterTokenizer, ByteTokenizer, WordTokenizer, NumberTokenizer, WithSpecials, BPETokenizer,
    )  # fmt: skip
    return {kind.name: kind for kind in kinds}[values["name"]].from_json(values)
