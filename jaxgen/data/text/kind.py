"""Text as a kind of data: where it comes from, and what a model needs to know of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen.data.kind import Data, Kind, Source, whole
from jaxgen.data.reading import as_path
from jaxgen.data.text.by_name import make_tokenizer
from jaxgen.data.text.dataset import Tokens
from jaxgen.data.text.files import python_reference, shakespeare, text_file
from jaxgen.data.text.prepared import cached_tokens
from jaxgen.data.text.streams import Stretch
from jaxgen.data.text.synthetic import Ids, hidden_markov, random_tokens
from jaxgen.data.text.tfds import tfds_text
from jaxgen.data.text.token_file import FileTokens, token_parts
from jaxgen.data.text.tokenizers import (
    CharacterTokenizer,
    NumberTokenizer,
    Tokenizer,
    WordTokenizer,
    tokenizer_from_json,
)
from jaxgen.errors import UserError


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

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TextSpec":
        """The inverse of `to_json`; KeyError, TypeError or ValueError where it is damaged."""
        tokenizer = tokenizer_from_json(values["tokenizer"])
        return cls(tokenizer, whole(values, "first_token", 0, tokenizer.vocab_size))


def text_data(
    train: str | Ids | Path | Stretch,
    test: str | Ids | Path | Stretch,
    *,
    tokenizer: str = "characters",
    seq_len: int | None = None,
    vocab_size: int | None = None,
) -> Data:
    """The tokens of two parts of a text, and the tokenizer made for it; tokens stay as they are.

    Raises UserError where the tokenizer is not known, seq_len is not given, the text too short, or a
    vocab_size is given for what has a vocabulary of its own.
    """
    if seq_len is None:
        raise UserError("A text needs a sequence length: set seq_len.")
    if isinstance(train, Path):
        return _from_files(*token_parts(train, vocab_size), seq_len)
    if vocab_size is not None:
        raise UserError("--vocab-size is for token files without a header: leave it out.")
    if isinstance(train, Stretch):
        return _from_files(*cached_tokens(train, tokenizer), seq_len)
    if isinstance(train, Ids) and isinstance(test, Ids):
        spec = TextSpec(NumberTokenizer(train.vocab_size), int(train.tokens[0]))
        seen, held_out = (Tokens({"tokens": part.tokens}, seq_len, None) for part in (train, test))
        return Data(seen, held_out, spec)
    assert isinstance(train, str) and isinstance(test, str), "a source gives two parts of one kind"
    made = make_tokenizer(
        tokenizer, lambda: CharacterTokenizer.of(train + test), lambda cut: Counter(cut(train))
    )
    lossy = isinstance(made, WordTokenizer)
    seen, held_out = (
        Tokens({"tokens": made.encode(text)}, seq_len, None if lossy else len(text))
        for text in (train, test)
    )
    return Data(seen, held_out, TextSpec(made, first_token=int(seen.arrays["tokens"][0])))


def _from_files(train: FileTokens, test: FileTokens, seq_len: int) -> Data:
    """The data of tokens that stay in their files."""
    seen, held_out = (
        Tokens({"tokens": part.tokens}, seq_len, part.num_characters) for part in (train, test)
    )
    return Data(seen, held_out, TextSpec(train.tokenizer, int(train.tokens[:1][0])))


KIND = Kind(
    {
        "hidden-markov": Source(hidden_markov, "SIZE"),
        "python-reference": Source(lambda _: python_reference()),
        "random-tokens": Source(random_tokens, "SIZE"),
        "shakespeare": Source(lambda _: shakespeare()),
        "text": Source(lambda file: text_file(as_path(file)), "FILE"),
        "tfds": Source(tfds_text, "NAME"),
        "tokens": Source(lambda file: (as_path(file), as_path(file)), "FILE"),
    },
    text_data,
    TextSpec.from_json,
)
