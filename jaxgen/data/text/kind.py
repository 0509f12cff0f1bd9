"""Text as a kind of data: where it comes from, and what a model needs to know of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxgen.data.kind import Data, Kind, Source, whole
from jaxgen.data.reading import as_path
from jaxgen.data.text.by_name import make_tokenizer
from jaxgen.data.text.dataset import Tokens
from jaxgen.data.text.documents import Documents, documents_of, encoded, end_of, with_end
from jaxgen.data.text.files import held_out_tenth, python_reference, shakespeare, text_file
from jaxgen.data.text.parquet import parquet_text
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
    train: str | Ids | Path | Stretch | Documents,
    test: str | Ids | Path | Stretch | Documents | None,
    *,
    tokenizer: str = "characters",
    seq_len: int | None = None,
    vocab_size: int | None = None,
    documents: str = "joined",
    separator: str = "\n\n",
) -> Data:
    """The tokens of two parts of a text, and the tokenizer made for it; tokens stay as they are.

    `documents`: joined, marked or apart, as `jaxgen.data.text.documents` has it; those of a text are
    what lies between the separators. Raises UserError where the tokenizer is not known, seq_len is not
    given, the text too short, or a vocab_size is given for what has a vocabulary of its own.
    """
    if seq_len is None:
        raise UserError("A text needs a sequence length: set seq_len.")
    if isinstance(train, Path):
        data = _from_files(*token_parts(train, vocab_size), seq_len)
        return data if documents != "apart" else _apart(data, train)
    if documents != "joined" and not isinstance(train, str | Documents):
        raise UserError(
            f"--documents {documents} is for token files and for texts up to 16 MB: leave it out, or "
            "put the text into a token file by jaxgen tokenize --eos."
        )
    if vocab_size is not None:
        raise UserError("--vocab-size is for token files without a header: leave it out.")
    if isinstance(train, Stretch):
        return _from_files(*cached_tokens(train, tokenizer), seq_len)
    if isinstance(train, Ids) and isinstance(test, Ids):
        spec = TextSpec(NumberTokenizer(train.vocab_size), int(train.tokens[0]))
        seen, held_out = (Tokens({"tokens": part.tokens}, seq_len, None) for part in (train, test))
        return Data(seen, held_out, spec)
    if documents != "joined":
        return _of_documents(train, test, tokenizer, seq_len, documents == "apart", separator)
    if isinstance(train, Documents):
        held_out = test.joined() if isinstance(test, Documents) else None
        text = train.joined()
        train, test = held_out_tenth(text) if held_out is None else (text, held_out)
    assert isinstance(train, str) and isinstance(test, str), "a source gives two parts of one kind"
    made = _made(tokenizer, [train], [test])
    lossy = isinstance(made, WordTokenizer)
    seen, held_out = (
        Tokens({"tokens": made.encode(text)}, seq_len, None if lossy else len(text))
        for text in (train, test)
    )
    return Data(seen, held_out, TextSpec(made, first_token=int(seen.arrays["tokens"][0])))


def _made(tokenizer: str, train: Sequence[str], test: Sequence[str]) -> Tokenizer:
    """The tokenizer of that name, made for training texts and for the held-out ones' characters."""
    return make_tokenizer(
        tokenizer,
        lambda: CharacterTokenizer.of("".join([*train, *test])),
        lambda cut: Counter(word for text in train for word in cut(text)),
    )


def _of_documents(
    train: Any, test: Any, tokenizer: str, seq_len: int, apart: bool, separator: str
) -> Data:
    """The data of documents with `<EOS>` behind each."""
    if isinstance(train, Documents):
        parts = train.split() if test is None else (train, test)
    else:
        parts = tuple(documents_of(part, separator) for part in (train, test))
    made = _made(tokenizer, *(part.texts for part in parts))
    made, end = with_end(made)
    lossy = isinstance(made, WordTokenizer)
    seen, held_out = (
        Tokens(
            {"tokens": encoded(part, made, end)},
            seq_len,
            None if lossy else sum(len(text) + 1 for text in part.texts),  # an end is one too
            ends_by=end if apart else None,
        )
        for part in parts
    )
    return Data(seen, held_out, TextSpec(made, first_token=int(seen.arrays["tokens"][0])))


def _apart(data: Data, path: Path) -> Data:
    """The data of a token file whose documents end by a token of the tokenizer's own."""
    end = end_of(data.spec.tokenizer)
    if end is None:
        raise UserError(
            f"--documents apart: the tokenizer of {path} has no token that ends a document: make it by "
            "jaxgen tokenize --eos, or leave it out."
        )
    parts: list[Any] = [data.train, data.test]
    train, test = (replace(part, ends_by=end) for part in parts)
    return replace(data, train=train, test=test)


def _from_files(train: FileTokens, test: FileTokens, seq_len: int) -> Data:
    """The data of tokens that stay in their files."""
    seen, held_out = (
        Tokens({"tokens": part.tokens}, seq_len, part.num_characters) for part in (train, test)
    )
    return Data(seen, held_out, TextSpec(train.tokenizer, int(train.tokens[:1][0])))


KIND = Kind(
    {
        "hidden-markov": Source(hidden_markov, "SIZE"),
        "parquet": Source(parquet_text, "FILE#COLUMN"),
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
