"""What a caption says of an image, as what can be read off it: attributes, each with a few values.

A language of captions has words, and gives for a caption its readings: the ways in which an image can
make it true, [M, A] with one row a way, each attribute's value or -1 for any. So whether an image does
what a caption asks is a question for whoever reads attributes off images, such as a classifier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Int

from jaxgen.errors import UserError

NO_WORD = 0
"""The token behind a caption's end, and of all places where nothing is said."""
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FORMS = ("{}", "a {}", "the digit {}", "a handwritten {}")
COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("circle", "square", "triangle")
SIZES = ("small", "large")
CELLS = ("top left", "top right", "bottom left", "bottom right")
RELATIONS: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "left of": ((0, 1), (2, 3)),
        "right of": ((1, 0), (3, 2)),
        "above": ((0, 2), (1, 3)),
        "below": ((2, 0), (3, 1)),
    }
)
"""The cells that the first and the second thing may be in."""


@dataclass(frozen=True)
class Language:
    """Words, and what captions made of them mean.

    Attributes:
      words: their tokens are 1, 2, ... in this order. length: T, words of the longest caption.
      attributes: of each attribute the number of its values.
      read: of a caption's words its readings [M, A], or None where it is no sentence of the language.
      grammar: what a sentence looks like, for messages.
    """

    words: tuple[str, ...]
    length: int
    attributes: tuple[int, ...]
    read: Callable[[list[str]], np.ndarray | None]
    grammar: str

    def encode(self, caption: str) -> Int[np.ndarray, " T"]:
        """The caption's tokens, with NO_WORD behind its end.

        Raises UserError where there is no word, one that is not known, or more than there is room for.
        """
        said = caption.lower().split()
        unknown = [word for word in dict.fromkeys(said) if word not in self.words]
        if unknown:
            plural = "words" if len(unknown) > 1 else "word"
            raise UserError(
                f"The prompt has the {plural} {', '.join(map(repr, unknown))}, which no caption had: "
                f"use {', '.join(self.words)}."
            )
        if not 0 < len(said) <= self.length:
            raise UserError(
                f"The prompt has {len(said)} words: give 1 to {self.length}, as in {self.grammar}."
            )
        tokens = np.full(self.length, NO_WORD, np.int32)
        tokens[: len(said)] = [1 + self.words.index(word) for word in said]
        return tokens

    def decode(self, tokens: Int[np.ndarray, " T"]) -> str:
        """The caption of its tokens."""
        return " ".join(self.words[token - 1] for token in tokens.tolist() if token != NO_WORD)

    def readings(self, caption: str) -> Int[np.ndarray, "M A"]:
        """What an image has to show to make the caption true, one row a way to do so.

        Raises UserError where the caption is no sentence of the language.
        """
        found = self.read(caption.lower().split())
        if found is None:
            raise UserError(f"{caption!r} says nothing that can be checked: try {self.grammar}.")
        return found


def is_shown(attributes: Int[np.ndarray, "n A"], readings: Int[np.ndarray, "M A"]) -> np.ndarray:
    """Which images [n], of which these attributes were read, show what a caption's readings say."""
    same = (attributes[:, None] == readings[None]) | (readings[None] < 0)
    return same.all(-1).any(-1)


def _read_digit(said: list[str]) -> np.ndarray | None:
    for value, name in enumerate(NAMES):
        if " ".join(said) in [form.format(name) for form in FORMS]:
            return np.array([[value]], np.int32)
    return None


def read_thing(said: list[str]) -> tuple[list[int], list[str]] | None:
    """([colour, shape, size], the words behind it) of 'a small red circle ...'; size 0 for any.

    Values count from 1, for 0 is what an empty cell has; -1 stands for a size that is not said.
    """
    if said[:1] != ["a"]:
        return None
    said, size = said[1:], -1
    if said and said[0] in SIZES:
        size, said = 1 + SIZES.index(said[0]), said[1:]
    if len(said) < 2 or said[0] not in COLOURS or said[1] not in SHAPES:
        return None
    return [1 + COLOURS.index(said[0]), 1 + SHAPES.index(said[1]), size], said[2:]


def _read_scene(said: list[str]) -> np.ndarray | None:
    first = read_thing(said)
    if first is None:
        return None
    thing, rest = first
    if not rest:
        return np.stack([in_cells({cell: thing}) for cell in range(4)])
    if rest[:2] == ["at", "the"] and " ".join(rest[2:]) in CELLS:
        return in_cells({CELLS.index(" ".join(rest[2:])): thing})[None]
    for words, places in RELATIONS.items():
        length = len(words.split())
        second = read_thing(rest[length:])
        if " ".join(rest[:length]) == words and second is not None and not second[1]:
            return np.stack([in_cells({one: thing, two: second[0]}) for one, two in places])
    return None


def in_cells(things: Mapping[int, list[int]]) -> Int[np.ndarray, " A"]:
    """Colour, shape and size of each of four cells; zeros where a cell is empty."""
    cells = np.zeros((4, 3), np.int32)
    for cell, thing in things.items():
        cells[cell] = thing
    return cells.reshape(-1)


LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        "digits": Language(
            ("a", "the", "digit", "handwritten", *NAMES), 3, (10,), _read_digit,
            "'a seven', 'the digit three'",
        ),
        "shapes": Language(
            (
                "a", *SIZES, *COLOURS, *SHAPES, "at", "the", "top", "bottom", "left", "right", "of",
                "above", "below",
            ),
            10, (1 + len(COLOURS), 1 + len(SHAPES), 1 + len(SIZES)) * 4, _read_scene,
            "'a large green square at the top left', 'a small red circle left of a blue square'",
        ),
    }
)  # fmt: skip
