"""Byte-pair encoding: a vocabulary of frequent pieces of text, learnt from it.

A text is cut into words (a space belongs to the word behind it), each word into the bytes of its UTF-8.
Then, again and again, the pair of neighbouring tokens that occurs most often within words becomes a
token of its own. To encode a word is to make the same merges in the same order. No text is foreign,
since all 256 bytes are tokens.

Sennrich et al. 2016, algorithm 1, https://arxiv.org/abs/1508.07909 (pairs); Radford et al. 2019 (GPT-2),
section 2.2 (bytes as the alphabet, words cut by kind of character).
"""

import heapq
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, Int32

from jaxgen.data.reading import read_bytes
from jaxgen.data.text.specials import WithSpecials
from jaxgen.data.text.tokenizers import ByteTokenizer, checked_ids
from jaxgen.errors import UserError

# GPT-2's order of the bytes, which its ids follow: first those that are printed as they are.
_PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
ALPHABET = bytes([*_PRINTED, *(byte for byte in range(256) if byte not in _PRINTED)])
_SHOWN = {
    chr(byte if byte in _PRINTED else 256 + ALPHABET.index(byte) - len(_PRINTED)): byte
    for byte in ALPHABET
}  # GPT-2's files write every byte as one visible character

MAX_MERGES = 1 << 20
END = "<|endoftext|>"


class _Kinds(dict):
    """Code point -> L, N, space, line end, O: letter, number, space, other white space, the rest.

    The apostrophe and the letters that follow it in 's 't 're 've 'm 'll 'd stay as they are.
    """

    _SPACES = frozenset([*range(9, 14), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
                         0x202F, 0x205F, 0x3000])  # fmt: skip

    def __missing__(self, point: int) -> str:
        category = unicodedata.category(chr(point))[0]
        kind = "\n" if point in self._SPACES else category if category in "LN" else "O"
        self[point] = kind
        return kind


_KINDS = _Kinds({ord(character): character for character in "'strevmld "})
_WORD = re.compile(
    r"'(?:[stmd]|re|ve|ll)| ?[Lstrevmld]+| ?N+| ?[O']+|[ \n]+(?![^ \n])|[ \n]+"
)  # of kinds; GPT-2's pattern, which asks for classes of characters that `re` does not know


def words_of(text: str) -> Iterator[str]:
    """The words of a text as GPT-2 cuts it, nothing left out."""
    for match in _WORD.finditer(text.translate(_KINDS)):
        yield text[match.start() : match.end()]


@dataclass(frozen=True)
class BPETokenizer:
    """Bytes, and the tokens that were merged of two.

    Attributes:
      merges: the pairs of ids in the order in which they were merged; the i-th makes token 256 + i.
    """

    merges: tuple[tuple[int, int], ...]
    name: ClassVar[str] = "bpe"

    @property
    def vocab_size(self) -> int:
        """V = 256 bytes and the merges."""
        return 256 + len(self.merges)

    @property
    def separator(self) -> str:
        """Nothing: pieces are joined as they are."""
        return ""

    @property
    def specials(self) -> dict[str, int]:
        """None."""
        return {}

    @cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        return {pair: rank for rank, pair in reversed(list(enumerate(self.merges)))}

    @cached_property
    def _pieces(self) -> list[bytes]:
        """The bytes of each token."""
        pieces = [bytes([byte]) for byte in ALPHABET]
        for left, right in self.merges:
            pieces.append(pieces[left] + pieces[right])
        return pieces

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """Words that have been encoded."""
        return {}

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The tokens of a text.

        Raises:
          UserError: the text holds half of a surrogate pair, which is not Unicode text.
        """
        ByteTokenizer.refuse_halves(text)
        known, found = self._known, []
        for word in words_of(text):
            ids = known.get(word)
            if ids is None:
                ids = known[word] = self._encode_word(word)
            found.append(ids)
        return np.fromiter(chain.from_iterable(found), np.int32)

    def _encode_word(self, word: str) -> list[int]:
        """Merge the pair that was merged first in training, until none is known."""
        ids = bytes_to_ids(word)
        while len(ids) > 1:
            pair = min(pairwise(ids), key=lambda pair: self._ranks.get(pair, MAX_MERGES))
            if pair not in self._ranks:
                break
            ids = merged(ids, pair, 256 + self._ranks[pair])
        return ids

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The text of these tokens; U+FFFD where their bytes are not UTF-8."""
        pieces = self._pieces
        whole = b"".join(pieces[index] for index in checked_ids(ids, self.vocab_size))
        return whole.decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """`{"name": "bpe", "merges": [[left, right], …]}`."""
        return {"name": self.name, "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "BPETokenizer":
        """The inverse of `to_json`."""
        merges = tuple((left, right) for left, right in values["merges"])
        for place, pair in enumerate(merges):
            if not all(type(part) is int and 0 <= part < 256 + place for part in pair):
                raise ValueError(f"merge {place} is {pair!r}")
        if len(merges) > MAX_MERGES:
            raise ValueError(f"there are {len(merges)} merges")
        return cls(merges)


def bytes_to_ids(word: str) -> list[int]:
    """The ids of a word's bytes."""
    return list(word.encode("utf-8").translate(_IDS))


_IDS = bytes(ALPHABET.index(byte) for byte in range(256))


def merged(ids: list[int], pair: tuple[int, int], token: int) -> list[int]:
    """The ids with each occurrence of the pair, from the left, as one token."""
    left, right = pair
    out, i, end = [], 0, len(ids)
    while i < end:
        if ids[i] == left and i + 1 < end and ids[i + 1] == right:
            out.append(token)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def train_bpe(text: str, vocab_size: int) -> BPETokenizer:
    """The tokenizer of a text; see `train_bpe_on`."""
    refuse_size(vocab_size)
    return train_bpe_on(Counter(words_of(text)), vocab_size)


def refuse_size(vocab_size: int) -> None:
    """Raise UserError where so many tokens cannot be."""
    if not 256 <= vocab_size <= MAX_MERGES:
        raise UserError(f"bpe:{vocab_size} has no room for the bytes: give 256 to {MAX_MERGES}.")


def train_bpe_on(counts: Mapping[str, int], vocab_size: int) -> BPETokenizer:
    """The tokenizer of a text's words and how often each occurs, with so many tokens.

    Of equally frequent pairs the lower ids come first. Only words in which the merged pair occurs are
    looked at again.

    Raises:
      UserError: the size is below 256, or larger than the text has merges for.
    """
    refuse_size(vocab_size)
    words, times = [bytes_to_ids(word) for word in counts], list(counts.values())
    pairs: Counter[tuple[int, int]] = Counter()
    places: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for index, ids in enumerate(words):
        for pair in pairwise(ids):
            pairs[pair] += times[index]
            places[pair].add(index)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    merges: list[tuple[int, int]] = []
    while len(merges) < vocab_size - 256:
        if not heap:
            raise UserError(
                f"bpe:{vocab_size} asks for more tokens than the text has pieces for: give "
                f"{256 + len(merges)} or less, or more text."
            )
        count, pair = heapq.heappop(heap)
        if -count != pairs[pair]:  # it has changed since it was put there
            if pairs[pair] > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        token = 256 + len(merges)
        merges.append(pair)
        grown: set[tuple[int, int]] = set()
        for index in places.pop(pair):
            old, new = words[index], merged(words[index], pair, token)
            for each in pairwise(old):
                pairs[each] -= times[index]
            for each in pairwise(new):
                pairs[each] += times[index]
                places[each].add(index)
                if token in each:
                    grown.add(each)
            words[index] = new
        del pairs[pair]
        for each in grown:
            heapq.heappush(heap, (-pairs[each], each))
    return BPETokenizer(tuple(merges))


def gpt2_tokenizer(folder: Path) -> WithSpecials:
    """GPT-2's own, from a folder with its `vocab.bpe` and `encoder.json`; the end of text is special.

    Raises:
      UserError: a file is missing or is not GPT-2's.
    """
    ids: dict[str, int] = {shown: place for place, shown in enumerate(_SHOWN)}
    merges: list[tuple[int, int]] = []
    vocabulary = folder / "vocab.bpe"
    try:
        lines = read_bytes(vocabulary).decode("utf-8").splitlines()
        for line in lines[1:] if lines[0].startswith("#version") else lines:
            left, right = line.split(" ")
            ids[left + right] = 256 + len(merges)
            merges.append((ids[left], ids[right]))
    except (KeyError, ValueError, IndexError):
        raise UserError(
            f"{vocabulary} holds no merges at line {len(merges) + 2}: take GPT-2's own file."
        ) from None
    tokenizer = WithSpecials(BPETokenizer(tuple(merges)), (END,))
    encoder = folder / "encoder.json"
    try:
        known = json.loads(read_bytes(encoder))
    except ValueError:
        raise UserError(f"{encoder} is not JSON: take GPT-2's own file.") from None
    if known != ids | tokenizer.specials:
        raise UserError(f"{encoder} has other ids than {vocabulary}: take both files of one model.")
    return tokenizer
