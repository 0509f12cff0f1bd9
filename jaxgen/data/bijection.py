"""A keyed bijection of 0 .. n - 1: an order of any number of examples without a permutation in memory.

A Feistel network on k = ⌈log₂ n⌉ bits: x is cut into a left half of ⌊k/2⌋ bits and a right one, and in
round r one of them, in turn, takes

    half ← half ⊕ F(other half, key_r)  modulo its size,                                            (1)

which is undone by doing it again, whatever F is, so that all rounds together are a bijection of
0 .. 2^k - 1. A value of n or more is sent through the network until it falls below n, which makes it
one of 0 .. n - 1 (cycle walking; as 2^k < 2n, on average less than two rounds of the network).

Luby & Rackoff 1988, https://doi.org/10.1137/0217022 (Eq. (1)); Black & Rogaway 2002, "Ciphers with
Arbitrary Finite Domains", section 4 and 5, https://www.cs.ucdavis.edu/~rogaway/papers/subset.pdf.
F is a mixer of 32 bits, no cipher: the order is to look random, not to be secret.
"""

from typing import Any

import numpy as np
from jaxtyping import Int, UInt

ROUNDS = 12
"""First differences of 50 to a million examples pass chi-square with 4; the rest is margin."""


def permuted(positions: Int[Any, "*B"], n: int, seed: Any, epoch: Any) -> Int[Any, "*B"]:
    """Which of the examples 0 .. n - 1 stands at each position, in the order of a seed and an epoch.

    Works on NumPy arrays (int64 out) and, inside `jax.jit`, on JAX arrays (int32 out, n up to 2^31),
    with one result; seed and epoch may be traced.

    Args:
      positions: 0 .. n - 1, any shape. n: from 1 to 2^62.
      seed, epoch: 0 or more, below 2^32; they choose the bijection.
    """
    bits = (n - 1).bit_length()
    if isinstance(positions, np.ndarray):
        keys = round_keys(*np.array([[seed], [epoch]], np.uint32))
        wide = np.uint32 if n <= 2**32 else np.uint64
        values = np.atleast_1d(positions).astype(wide)
        values = _network(values, bits, keys)
        while (beyond := values >= n).any():
            values[beyond] = _network(values[beyond], bits, keys)
        return values.astype(np.int64).reshape(positions.shape)

    import jax.numpy as jnp
    from jax import lax

    keys = round_keys(jnp.uint32(seed), jnp.uint32(epoch))
    end = np.uint32(n)
    values = lax.while_loop(
        lambda values: jnp.any(values >= end),
        lambda values: jnp.where(values < end, values, _network(values, bits, keys)),
        _network(positions.astype(jnp.uint32), bits, keys),
    )
    return values.astype(jnp.int32)


def round_keys(seed: Any, epoch: Any) -> list[Any]:
    """The 32-bit key of each round."""
    chosen = mixed(mixed(seed + np.uint32(0x9E3779B9)) ^ epoch)
    return [mixed(chosen + np.uint32(0x9E3779B9 * (r + 1) % 2**32)) for r in range(ROUNDS)]


def _network(values: UInt[Any, "*B"], bits: int, keys: list[Any]) -> UInt[Any, "*B"]:
    """Eq. (1) for each key, on values below 2^bits."""
    wide, word = values.dtype.type, np.uint32
    left_bits, right_bits = bits // 2, bits - bits // 2
    left_mask, right_mask = word(2**left_bits - 1), word(2**right_bits - 1)
    left = (values >> wide(right_bits)).astype(word)
    right = (values & wide(2**right_bits - 1)).astype(word)
    for r, key in enumerate(keys):
        if r % 2:
            left = left ^ (mixed(right + key) & left_mask)
        else:
            right = right ^ (mixed(left + key) & right_mask)
    return (left.astype(wide) << wide(right_bits)) | right.astype(wide)


def mixed(x: UInt[Any, "*B"]) -> UInt[Any, "*B"]:
    """32 bits to 32 bits, one to one, of which each depends on all.

    Multiplications modulo 2^32 and shifts, with the constants of C. Wellons' search (2018),
    https://nullprogram.com/blog/2018/07/31/ (lowbias32).
    """
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
