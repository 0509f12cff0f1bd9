"""A text of any length, read a few megabytes at a time: its characters, its words, its tokens."""

import codecs
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgen.data.progress import Tell
from jaxgen.data.reading import plain_errors, require_file
from jaxgen.data.text.by_name import Cut, make_tokenizer
from jaxgen.data.text.tokenizers import CharacterTokenizer, Tokenizer
from jaxgen.errors import UserError

CHUNK_BYTES = 1 << 22
MARK = codecs.BOM_UTF8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Stretch(NamedTuple):
    """The bytes from start to stop of a file, which begin and end with a character."""

    path: Path
    start: int
    stop: int


def whole(path: Path) -> Stretch:
    """All of a file but for a UTF-8 mark at its beginning, which is dropped, and said.

    Raises UserError where it cannot be read, is empty, or is UTF-16.
    """
    require_file(path)
    with plain_errors(path), path.open("rb") as file:
        head, size = file.read(4), os.fstat(file.fileno()).st_size
    if head[:2] in _UTF16:
        raise UserError(
            f"{path} is UTF-16: convert it to UTF-8 first, for instance by iconv -f UTF-16 -t UTF-8."
        )
    start = len(MARK) if head.startswith(MARK) else 0
    if start:
        print(f"{path}: the UTF-8 mark at its beginning is dropped", file=sys.stderr)
    if size == start:
        raise UserError(f"{path} is empty: give a file with text in it.")
    return Stretch(path, start, size)


def chunks(stretch: Stretch, *, at_space: bool = False) -> Iterator[tuple[str, int]]:
    """(text, the byte where it ends), piece by piece; with `at_space` no piece ends within a word.

    Be those what lies between white space, or the words of `words_of`, to which a space before them
    belongs: a piece ends behind a character that is no white space, and before one that is.

    Raises UserError where the file is not UTF-8, holds a NUL, or ends before the stretch does.
    """
    position, size = stretch.start, CHUNK_BYTES
    with plain_errors(stretch.path), stretch.path.open("rb") as file:
        while position < stretch.stop:
            file.seek(position)
            content = file.read(min(size, stretch.stop - position))
            if not content:
                raise UserError(f"{stretch.path} has been cut short while it was read.")
            last = position + len(content) == stretch.stop
            text = decoded(stretch.path, content, position, last=last)
            if at_space and not last:
                text = text[: _last_cut(text)]
            if not text:  # one word that is longer than the piece
                size *= 2
                continue
            position += len(content) if last else len(text.encode())
            yield text, position


def decoded(path: Path, content: bytes, position: int = 0, *, last: bool = True) -> str:
    """Bytes of a file, from `position` on, as text; unless they are the last, half a character may stay.

    Raises UserError where they are not UTF-8 or hold a NUL.
    """
    if (nul := content.find(0)) >= 0:
        raise UserError(
            f"{path} has a NUL at position {position + nul}: it is no text, or in another encoding than "
            "UTF-8; convert it first."
        )
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(content, last)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (byte 0x{content[error.start]:02x} at position "
            f"{position + error.start}): convert it to UTF-8 first, for instance with iconv."
        ) from error


_CUT = re.compile(r"(?<=\S)[^\S\x1c-\x1f]")  # those four are white space to Python, not to Unicode


def _last_cut(text: str) -> int:
    """Where the last white space behind another character begins; 0 where there is none."""
    for start in (max(0, len(text) - 4096), 0):
        places = [match.start() for match in _CUT.finditer(text, start)]
        if places:
            return places[-1]
    return 0


class Survey(NamedTuple):
    """What one reading of a text finds: its characters, how many, and where a tenth is left."""

    tokenizer: CharacterTokenizer
    train: Stretch
    test: Stretch
    characters: tuple[int, int]  # of each part


def survey(stretch: Stretch, tell: Tell = lambda share: None) -> Survey:
    """Read a text once; the held-out part are the characters from ⌊9 n / 10⌋ on."""
    seen = np.zeros(sys.maxunicode + 1, bool)
    starts, total = [], 0
    for text, end in chunks(stretch):
        starts.append((total, end))
        total += len(text)
        seen[np.frombuffer(text.encode("utf-32-le"), "<u4")] = True
        tell((end - stretch.start) / (stretch.stop - stretch.start))
    boundary = total * 9 // 10
    before = max(i for i, (count, _) in enumerate(starts) if count <= boundary)
    begins = stretch.start if before == 0 else starts[before - 1][1]
    text, _ = next(chunks(Stretch(stretch.path, begins, starts[before][1])))
    middle = begins + len(text[: boundary - starts[before][0]].encode())
    return Survey(
        CharacterTokenizer("".join(map(chr, np.flatnonzero(seen)))),
        stretch._replace(stop=middle),
        stretch._replace(start=middle),
        (boundary, total - boundary),
    )


def tokenizer_of(name: str, stretches: list[Stretch], tell: Tell = lambda share: None) -> Tokenizer:
    """A tokenizer by name, with the vocabulary of all the texts."""

    def characters() -> CharacterTokenizer:
        seen = "".join(survey(stretch, tell).tokenizer.characters for stretch in stretches)
        return CharacterTokenizer.of(seen)

    def count(cut: Cut) -> Counter[str]:
        counts: Counter[str] = Counter()
        done, size = 0, sum(stretch.stop - stretch.start for stretch in stretches)
        for stretch in stretches:
            for text, end in chunks(stretch, at_space=True):
                counts.update(cut(text))
                tell((done + end - stretch.start) / size)
            done += stretch.stop - stretch.start
        return counts

    return make_tokenizer(name, characters, count)
