"""What the catalogue records of an algorithm, a piece of code or a sentence of the documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What is wrong with a passage, in a word or three; `PASSAGE_VERDICTS` says each in a sentence.
PassageVerdict = Literal[
    "right", "contradiction", "misnamed", "incomplete", "does not run", "wrong date"
]

PASSAGE_VERDICTS: Mapping[PassageVerdict, str] = {
    "right": "it holds as it stands",
    "contradiction": "it contradicts the mathematics, or what the documents say elsewhere",
    "misnamed": "one method is called by the name of another, or given its task",
    "incomplete": "a step or a body is missing",
    "does not run": "the code fails, or does something else than it says",
    "wrong date": "it happened in another year",
}


@dataclass(frozen=True)
class Passage:
    """One thing that the documents say in words or in code rather than as a formula.

    Attributes:
      id: kind, dot, name (one word for the two that are one of a kind).
      document: number and section, such as '002, 5.2'. title: one line.
      says: what is printed, translated and shortened.
      verdict: see `PASSAGE_VERDICTS`. wrong: what is wrong with it, '' where nothing is.
      instead: what to do, or what of it to keep.
      source: paper and link, '' where the mathematics is source enough.
    """

    id: str
    document: str
    title: str
    says: str
    verdict: PassageVerdict
    wrong: str
    instead: str
    source: str = ""
