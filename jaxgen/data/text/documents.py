"""Documents in a text: where each ends, and whether a window learns across its end.

joined   one text; where a document ends nothing tells
marked   `<EOS>` behind each document; windows reach across it
apart    the same, but a window learns of the document that it begins in, and of no other
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from jaxgen.data.text.specials import WithSpecials
from jaxgen.data.text.tokenizers import NumberTokenizer, Tokenizer
from jaxgen.errors import UserError

EOS = "<EOS>"
GPT2_END, GPT2_END_ID = "<|endoftext|>", 50_256
"""The last of GPT-2's 50,257, which also the files without a header have behind each document."""


@dataclass(frozen=True)
class Documents:
    """Texts that their source holds one by one, such as the rows of a table."""

    texts: tuple[str, ...]

    def joined(self) -> str:
        """One text, with a line end between two."""
        return "\n".join(self.texts)

    def split(self) -> tuple["Documents", "Documents"]:
        """Those that begin in the first nine tenths of all characters, and the rest.

        Raises UserError where one of the two has none.
        """
        lengths = np.array([len(text) for text in self.texts])
        begins = np.cumsum(lengths) - lengths
        first = int(np.searchsorted(begins, lengths.sum() * 9 / 10))
        if not 0 < first < len(self.texts):
            raise UserError(
                f"{len(self.texts)} documents cannot be split into a training and a held-out part: give "
                "more."
            )
        return Documents(self.texts[:first]), Documents(self.texts[first:])


def documents_of(text: str, separator: str) -> Documents:
    """What lies between the separators; where nothing does, there is no document."""
    if not separator:
        raise UserError("--separator is empty: give the text that lies between two documents.")
    return Documents(tuple(part for part in text.split(separator) if part))


def with_end(tokenizer: Tokenizer) -> tuple[Tokenizer, int]:
    """(the tokenizer with an `<EOS>`, its id)."""
    made = tokenizer if EOS in tokenizer.specials else WithSpecials(tokenizer, (EOS,))
    return made, made.specials[EOS]


def end_of(tokenizer: Tokenizer) -> int | None:
    """The token that ends a document in a token file, `<EOS>` or GPT-2's; None where there is none."""
    known = (tokenizer.specials.get(name) for name in (EOS, GPT2_END))
    found = next((number for number in known if number is not None), None)
    if found is None and isinstance(tokenizer, NumberTokenizer):
        return GPT2_END_ID if tokenizer.vocab_size > GPT2_END_ID else None
    return found


def encoded(documents: Documents, tokenizer: Tokenizer, end: int) -> Int32[np.ndarray, " n"]:
    """The tokens of all documents, `end` behind each."""
    ending = np.array([end], np.int32)
    parts: Iterable = (
        part for text in documents.texts for part in (tokenizer.encode(text), ending)
    )
    return np.concatenate([np.empty(0, np.int32), *parts])
