"""What counting alone predicts of a text: a yardstick for models of the next token."""

import numpy as np
from jaxtyping import Float, Int


def ngram_nats(
    train: Int[np.ndarray, " N"], held_out: Int[np.ndarray, " M"], order: int, vocab_size: int
) -> Float[np.ndarray, " M"]:
    """-log p of each held-out token given the order - 1 tokens before it, counted in a training text.

    Interpolated with the shorter contexts as by Witten and Bell, which has no number to choose: with
    C the counts in the training text and D(h) how many different tokens follow h there,

        p(c|h) = (C(h, c) + D(h) · p(c|h')) / (C(h) + D(h)),    h' = h without its first token,

    p(c|h) = p(c|h') where h does not occur, and 1/V below the empty context. Each p(·|h) sums to one.
    The first tokens have fewer before them.

    Args:
      order: n of the n-gram: 1 knows frequencies, 2 one token before.

    Raises:
      ValueError: order is below 1, or V^order does not fit 63 bits.

    Witten & Bell 1991, "The zero-frequency problem", method C.
    """
    if order < 1 or vocab_size**order >= 2**63:
        raise ValueError(
            f"order {order} of {vocab_size} tokens: 1 or more, of at most 2^63 n-grams"
        )
    p = np.full(len(held_out), 1 / vocab_size)
    for n in range(1, order + 1):
        grams, count = np.unique(_codes(train, n, vocab_size), return_counts=True)
        contexts, first = np.unique(grams // vocab_size, return_index=True)
        total, distinct = (np.add.reduceat(x, first) for x in (count, np.ones_like(count)))
        asked = _codes(held_out, n, vocab_size)
        seen = _found(contexts, total, asked // vocab_size)
        kinds = _found(contexts, distinct, asked // vocab_size)
        lower = p[n - 1 :]
        mixed = (_found(grams, count, asked) + kinds * lower) / np.maximum(seen + kinds, 1)
        p[n - 1 :] = np.where(seen > 0, mixed, lower)
    return -np.log(p)


def _codes(tokens: np.ndarray, n: int, vocab_size: int) -> np.ndarray:
    """Each run of n tokens as one number, its last token the lowest digit."""
    tokens = tokens.astype(np.int64)
    codes = np.zeros(max(0, len(tokens) - n + 1), np.int64)
    for i in range(n):
        codes = codes * vocab_size + tokens[i : i + len(codes)]
    return codes


def _found(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each number asked for; 0 where it is not among the sorted keys."""
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)
