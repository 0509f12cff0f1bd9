"""Tokens without a text: for the speed of models of any vocabulary, and for what is known beforehand."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from jaxgen.errors import UserError

NUM_TOKENS = 1 << 16


class Ids(NamedTuple):
    """Tokens that no tokenizer made."""

    tokens: Int32[np.ndarray, " n"]
    vocab_size: int


def random_tokens(argument: str) -> tuple[Ids, Ids]:
    """Independent uniform tokens out of so many, always the same; a tenth is held out.

    No model does better than log V nats on them. Raises UserError where the argument is no size.
    """
    if not (argument.isdecimal() and argument.isascii() and 2 <= int(argument[:10]) < 2**31):
        raise UserError(f"random-tokens:{argument} names no vocabulary: give its size, 2 or more.")
    vocab_size = int(argument)
    tokens = np.random.default_rng(0).integers(vocab_size, size=NUM_TOKENS, dtype=np.int32)
    boundary = NUM_TOKENS * 9 // 10
    return Ids(tokens[:boundary], vocab_size), Ids(tokens[boundary:], vocab_size)
