"""Tokens on disk, read through a memory map: nanoGPT's files, and ours, which know their tokenizer.

nanoGPT's `.bin` is uint16 after uint16, little-endian, and nothing else. Ours begins with the bytes
JAXGENTK, the length of a JSON header (8 bytes, little-endian) and the header, padded by spaces to a
multiple of 4 KiB; the numbers follow.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data.lazy import Mapped, Part
from jaxgen.data.progress import Tell
from jaxgen.data.reading import plain_errors
from jaxgen.data.text.streams import Stretch, chunks
from jaxgen.data.text.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    NumberTokenizer,
    Tokenizer,
    WordTokenizer,
    tokenizer_from_json,
)
from jaxgen.errors import UserError

MAGIC = b"JAXGENTK"
PAGE = 4096
GPT2_VOCABULARY = 50257
"""What a file without a header is taken to be of: nanoGPT's are GPT-2's tokens."""
SAVE_EVERY = 2**26
"""Bytes of tokens between two notes of how far the writing has come."""


class FileTokens(NamedTuple):
    """One part of a text as tokens in a file."""

    tokens: Any  # Mapped or Part [n]
    tokenizer: Tokenizer
    num_characters: int | None


class TokenArray(Mapped):
    """Tokens in a file, each of which is looked at as it is read.

    Raises UserError where one is beyond the vocabulary.
    """

    def __init__(self, path: Path, dtype: Any, count: int, offset: int, vocab_size: int):
        super().__init__(path, dtype, (count,), offset)
        self._vocab_size = vocab_size

    def _checked_read(self, wanted: Any, touched: int) -> np.ndarray:
        tokens = super()._checked_read(wanted, touched)
        if tokens.size and int(tokens.max()) >= self._vocab_size:
            first = np.unravel_index(np.argmax(tokens >= self._vocab_size), tokens.shape)
            place = (
                wanted.indices(len(self))[0] + first[0]
                if isinstance(wanted, slice)
                else wanted[first]
            )
            raise UserError(
                f"{self.path} has the token {tokens[first]} at index {place}, beyond its vocabulary of "
                f"{self._vocab_size}: give the right --vocab-size, or make the file again."
            )
        return tokens


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """SHA-256 of a tokenizer with its vocabulary."""
    return hashlib.sha256(json.dumps(tokenizer.to_json(), sort_keys=True).encode()).hexdigest()


def open_tokens(path: Path, vocab_size: int | None = None) -> FileTokens:
    """The tokens of a file; `vocab_size` is that of one without a header.

    Raises UserError where it is no such file, is cut short, or has a header and a vocab_size is given.
    """
    with plain_errors(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(16)
            ours = start[:8] == MAGIC
            text = file.read(int.from_bytes(start[8:], "little")) if ours else b""
    if not ours:
        if size == 0 or size % 2:
            raise UserError(
                f"{path} has {size} bytes, which are no uint16 numbers: give a whole file of tokens, as "
                "nanoGPT or jaxgen tokenize writes them."
            )
        tokenizer = NumberTokenizer(vocab_size or GPT2_VOCABULARY)
        tokens = TokenArray(path, "<u2", size // 2, 0, tokenizer.vocab_size)
        return FileTokens(tokens, tokenizer, None)
    try:
        header = json.loads(text)
        tokenizer = tokenizer_from_json(header["tokenizer"])
        dtype = {"uint16": "<u2", "uint32": "<u4"}[header["dtype"]]
        count, characters = header["count"], header["characters"]
        if header["tokenizer_digest"] != tokenizer_digest(tokenizer):
            raise ValueError("its tokenizer is not that of its digest")
        if type(count) is not int or count < 1:
            raise ValueError(f"count is {count!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} has a damaged header ({error}): make it again.") from None
    offset = 16 + len(text)
    if size != offset + count * np.dtype(dtype).itemsize:
        raise UserError(
            f"{path} has {size - offset} bytes of tokens, and its header tells of {count} "
            f"{header['dtype']}: it is cut short, or damaged; make it again."
        )
    if vocab_size is not None:
        raise UserError(
            f"--vocab-size is for token files without a header, and {path} has one: leave it out."
        )
    tokens = TokenArray(path, dtype, count, offset, tokenizer.vocab_size)
    return FileTokens(tokens, tokenizer, characters)


def token_parts(path: Path, vocab_size: int | None) -> tuple[FileTokens, FileTokens]:
    """The training and the held-out tokens: of train.* and val.*, or of one file its last tenth."""
    whole = open_tokens(path, vocab_size)
    other = path.with_name(path.name.replace("train", "val", 1))
    if path.name.startswith("train") and other.exists():
        held_out = open_tokens(other, vocab_size)
        if held_out.tokenizer != whole.tokenizer:
            raise UserError(f"{path} and {other} are of different tokenizers: make both by one.")
        return whole, held_out
    n = len(whole.tokens)
    cut, characters = n * 9 // 10, whole.num_characters
    parts = [Part(whole.tokens, 0, cut), Part(whole.tokens, cut, n)]
    # Characters of a part are known where all tokens are alike; else their mean stands for them.
    shares = [None if characters is None else round(characters * len(part) / n) for part in parts]
    train, test = (
        FileTokens(part, whole.tokenizer, share) for part, share in zip(parts, shares, strict=True)
    )
    return train, test


def write_tokens(
    out: Path,
    stretches: list[Stretch],
    tokenizer: Tokenizer,
    *,
    eos: bool = False,
    tell: Tell = lambda share: None,
) -> None:
    """Make a token file of texts, a piece at a time; with `eos` each of them ends by its end of text.

    What a killed process has left is gone on with, if the texts and the tokenizer are the same.
    """
    dtype = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    header = {
        "tokenizer_digest": tokenizer_digest(tokenizer), "dtype": dtype, "count": 0, "characters": 0,
        "tokenizer": tokenizer.to_json(),
    }  # fmt: skip
    job = {
        "header": header, "eos": eos,
        "texts": [[str(s.path), s.start, s.stop, s.path.stat().st_mtime_ns] for s in stretches],
    }  # fmt: skip
    draft, note = (out.with_name(out.name + end) for end in (".part", ".part.json"))
    try:
        count = _write(draft, note, job, stretches, tokenizer, tell)
        if count == 0:
            raise UserError(f"{stretches[0].path} has no word in it: give a text.")
    except UserError:  # of the text, with which nobody can go on
        draft.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        raise
    draft.replace(out)
    note.unlink(missing_ok=True)


def _write(
    draft: Path,
    note: Path,
    job: dict[str, Any],
    stretches: list[Stretch],
    tokenizer: Tokenizer,
    tell: Tell,
) -> int:
    """Write all of a token file under another name; returns the number of tokens."""
    place = _left(note, draft, job)
    head, sizes = _head(job["header"]), [stretch.stop - stretch.start for stretch in stretches]
    with draft.open("r+b" if place.count else "wb") as file:
        if place.count:
            file.truncate(place.file_bytes)
            file.seek(place.file_bytes)
        else:
            file.write(head)
        saved = file.tell()
        for now, tokens in _encoded(stretches, tokenizer, job["eos"], place):
            place = now
            tokens.astype(job["header"]["dtype"]).tofile(file)
            tell((sum(sizes[: place.text]) + place.byte) / sum(sizes))
            if file.tell() - saved >= SAVE_EVERY:
                file.flush()
                os.fsync(file.fileno())
                saved = file.tell()
                draft_note = note.with_name(note.name + ".new")
                draft_note.write_text(json.dumps([job, place._replace(file_bytes=saved)]))
                draft_note.replace(note)
        characters = None if isinstance(tokenizer, WordTokenizer) else place.characters
        file.seek(0)
        file.write(
            _head(job["header"] | {"count": place.count, "characters": characters}, len(head))
        )
    return place.count


class Place(NamedTuple):
    """How far a writing has come: the text, the byte in it, what was written."""

    text: int = 0
    byte: int = 0
    count: int = 0
    characters: int = 0
    file_bytes: int = 0


def _encoded(
    stretches: list[Stretch], tokenizer: Tokenizer, eos: bool, place: Place
) -> Iterator[tuple[Place, np.ndarray]]:
    """The tokens from a place on, and the place after them."""
    any_cut = isinstance(tokenizer, CharacterTokenizer | ByteTokenizer)
    for number in range(place.text, len(stretches)):
        stretch = stretches[number]
        begin = place.byte if number == place.text else 0
        for text, end in chunks(
            stretch._replace(start=stretch.start + begin), at_space=not any_cut
        ):
            tokens = tokenizer.encode(text)
            last = end == stretch.stop
            if last and eos:
                tokens = np.append(tokens, end_of_text(tokenizer))
            place = Place(
                number + last, 0 if last else end - stretch.start,
                place.count + len(tokens), place.characters + len(text),
            )  # fmt: skip
            yield place, tokens


def end_of_text(tokenizer: Tokenizer) -> int:
    """The id of the special token that ends a document.

    Raises ValueError where there is none.
    """
    for name in ("<EOS>", "<|endoftext|>"):
        if name in tokenizer.specials:
            return tokenizer.specials[name]
    raise ValueError(f"{tokenizer.name} has no end of text")


def _left(note: Path, draft: Path, job: Mapping[str, Any]) -> Place:
    """Where an earlier process left off with the same work; the beginning where there is none."""
    try:
        found, place = json.loads(note.read_text())
        place = Place(*place)
        if found == json.loads(json.dumps(job)) and draft.stat().st_size >= place.file_bytes:
            return place
    except (OSError, ValueError, TypeError):
        pass
    return Place()


def _head(header: Mapping[str, Any], length: int | None = None) -> bytes:
    """Magic, length, JSON; padded to a length, or to whole pages with room for longer numbers."""
    text = json.dumps(header).encode()
    length = length or -(-(16 + len(text) + 40) // PAGE) * PAGE
    return MAGIC + (length - 16).to_bytes(8, "little") + text.ljust(length - 16)
