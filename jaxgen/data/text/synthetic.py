"""Tokens without a text: for the speed of models of any vocabulary, and for what is known beforehand."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32

from jaxgen.errors import UserError

NUM_TOKENS = 1 << 16
NUM_STATES = 5


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


class Chain(NamedTuple):
    """A hidden Markov chain: probabilities of the first state, of the next one, and of its symbol."""

    initial: Float64[np.ndarray, " K"]
    transition: Float64[np.ndarray, "K K"]
    emission: Float64[np.ndarray, "K V"]


def chain_of(vocab_size: int) -> Chain:
    """The chain behind `hidden-markov:SIZE`, always the same; its first state is its lasting mixture.

    States last some steps and prefer a few symbols: the past tells much, but one symbol does not.
    """
    rng = np.random.default_rng([1, vocab_size])
    transition = 0.8 * np.eye(NUM_STATES) + 0.2 * rng.dirichlet(np.ones(NUM_STATES), NUM_STATES)
    emission = rng.dirichlet(np.full(vocab_size, 0.3), NUM_STATES) * 0.95 + 0.05 / vocab_size
    return Chain(np.linalg.matrix_power(transition, 512)[0], transition, emission)


def hidden_markov(argument: str) -> tuple[Ids, Ids]:
    """Symbols of a hidden Markov chain with so many of them, always the same; a tenth is held out.

    What the best model's loss is on them, `jaxgen.equations.markov` says. Raises UserError where the
    argument is no size.
    """
    if not (argument.isdecimal() and argument.isascii() and 2 <= int(argument[:10]) <= 1000):
        raise UserError(f"hidden-markov:{argument} names no vocabulary: give its size, 2 to 1000.")
    vocab_size = int(argument)
    chain, rng = chain_of(vocab_size), np.random.default_rng(2)
    next_states = chain.transition.cumsum(1)
    draws, state = rng.random((NUM_TOKENS, 2)), int(rng.choice(NUM_STATES, p=chain.initial))
    symbols = chain.emission.cumsum(1)
    tokens = np.empty(NUM_TOKENS, np.int32)
    for t, (move, symbol) in enumerate(draws):
        # The last sum may be a rounding below 1.
        state = min(int(np.searchsorted(next_states[state], move)), NUM_STATES - 1)
        tokens[t] = min(int(np.searchsorted(symbols[state], symbol)), vocab_size - 1)
    boundary = NUM_TOKENS * 9 // 10
    return Ids(tokens[:boundary], vocab_size), Ids(tokens[boundary:], vocab_size)
