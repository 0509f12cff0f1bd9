"""Special tokens beside a text's: their ids are none that `encode` gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, Int32

from jaxgen.data.text.tokenizers import Tokenizer, checked_ids, tokenizer_from_json


@dataclass(frozen=True)
class WithSpecials:
    """A tokenizer and special tokens behind its vocabulary: padding, end, mask, sentinels, roles.

    `encode` is the tokenizer's, so a text that spells a special token stays text.

    Attributes:
      tokenizer: for the text. names: of the special tokens, distinct; their ids follow its last one.
    """

    tokenizer: Tokenizer
    names: tuple[str, ...]
    name: ClassVar[str] = "with-specials"

    @property
    def separator(self) -> str:
        """The tokenizer's."""
        return self.tokenizer.separator

    @property
    def vocab_size(self) -> int:
        """V, the special ones included."""
        return self.tokenizer.vocab_size + len(self.names)

    @property
    def specials(self) -> dict[str, int]:
        """The tokenizer's own, and these."""
        first = self.tokenizer.vocab_size
        own = {name: first + place for place, name in enumerate(self.names)}
        return self.tokenizer.specials | own

    def encode(self, text: str) -> Int32[np.ndarray, " n"]:
        """The text's ids, of which none is special."""
        return self.tokenizer.encode(text)

    def decode(self, ids: Int[Any, " n"]) -> str:
        """The text between the special tokens, and these by their names."""
        ids = checked_ids(ids, self.vocab_size)
        places = np.flatnonzero(ids >= self.tokenizer.vocab_size)
        parts, start = [], 0
        for place in places:
            parts.append(self.tokenizer.decode(ids[start:place]))
            parts.append(self.names[ids[place] - self.tokenizer.vocab_size])
            start = place + 1
        parts.append(self.tokenizer.decode(ids[start:]))
        return self.separator.join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """`{"name": "with-specials", "names": […], "tokenizer": {…}}`."""
        return {
            "name": self.name, "names": list(self.names), "tokenizer": self.tokenizer.to_json(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "WithSpecials":
        """The inverse of `to_json`."""
        names = tuple(values["names"])
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise ValueError(f"names is {names!r}")
        return cls(tokenizer_from_json(values["tokenizer"]), names)
