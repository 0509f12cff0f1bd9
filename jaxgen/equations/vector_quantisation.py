"""Vector quantisation: a vector becomes the nearest of V codes, and learning goes on through it.

van den Oord et al. 2017, "Neural discrete representation learning", https://arxiv.org/abs/1711.00937
    (1) k(z) = argmin_k |z − e_k|²                                     eqs. (1) and (2)
    (2) q = z + sg(e_k − z): the code forward, the identity backward   section 3.2
    (3) |sg(z) − e_k|²,  β |z − sg(e_k)|²                              eq. (3): codebook, commitment
    (4) N_k ← γ N_k + (1 − γ) n_k,  m_k ← γ m_k + (1 − γ) Σ z,  e_k = m_k / N_k     appendix A.1
Jelinek et al. 1977, "Perplexity, a measure of the difficulty of speech recognition tasks",
https://doi.org/10.1121/1.2016299
    (5) exp(−Σ p_k log p_k),  p_k = n_k / Σ n: how many codes are in use
Lloyd 1982, "Least squares quantization in PCM", section IV, https://doi.org/10.1109/TIT.1982.1056489
    (6) e_k ← the mean of the vectors whose nearest code is k: a step of k-means
Dhariwal et al. 2020, "Jukebox", section 3.1, https://arxiv.org/abs/2005.00341
    (7) a code whose N_k falls below a threshold is put on a vector of the batch at hand

sg is the identity whose gradient is zero. n_k counts the vectors of a batch whose nearest code is k, and
Σ z is their sum. Where the codebook follows (4), the first half of (3) is left out.

Shape letters: *B leading axes, V codes, D size of a code; R rows that codes may be put on.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations.precision import widen


class Codebook(NamedTuple):
    """Eq. (4)'s averages: how often a code is the nearest, and the sum of the vectors it stands for."""

    counts: Float[Array, " V"]
    sums: Float[Array, "V D"]


def squared_distances(
    vectors: Float[Array, "*B D"], codes: Float[Array, "V D"]
) -> Float[Array, "*B V"]:
    """Of Eq. (1): `|z − e_k|²` from every vector to every code, at least 0."""
    vectors, codes = widen(vectors), widen(codes)
    lead = (1,) * (vectors.ndim - 1)
    products = jnp.einsum("...d,vd->...v", vectors, codes)
    of_codes = jnp.sum(jnp.square(codes), axis=-1).reshape(*lead, -1)
    squares = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True) - 2 * products + of_codes
    return jnp.maximum(squares, 0.0)  # rounding may go below


def nearest_code(vectors: Float[Array, "*B D"], codes: Float[Array, "V D"]) -> Int[Array, "*B"]:
    """Eq. (1): the index of the nearest code; of equally near ones the first."""
    return jnp.argmin(squared_distances(vectors, codes), axis=-1)


def straight_through(
    vectors: Float[Array, "*B D"], quantised: Float[Array, "*B D"]
) -> Float[Array, "*B D"]:
    """Eq. (2): the value of `quantised`, with the gradient of `vectors`; codes get none."""
    return vectors + jax.lax.stop_gradient(quantised - vectors)


def commitment(
    vectors: Float[Array, "*B D"], quantised: Float[Array, "*B D"]
) -> Float[Array, "*B"]:
    """Of Eq. (3), before β: `|z − sg(e)|²`, which draws a vector to its code, and never the code.

    With the arguments exchanged it is the codebook's half, which draws codes to vectors.
    """
    far = widen(vectors) - jax.lax.stop_gradient(widen(quantised))
    return jnp.sum(jnp.square(far), axis=-1)


def usage(
    vectors: Float[Array, "R D"], indices: Int[Array, " R"], num_codes: int
) -> tuple[Float[Array, " V"], Float[Array, "V D"]]:
    """Of Eq. (4), n_k and Σ z: how many vectors each code stands for, and their sum."""
    one_hot = jax.nn.one_hot(indices, num_codes, dtype=jnp.float32)
    return jnp.sum(one_hot, axis=0), jnp.einsum("rv,rd->vd", one_hot, widen(vectors))


def moved(
    book: Codebook,
    counts: Float[Array, " V"],
    sums: Float[Array, "V D"],
    decay: Float[Array, ""] | float,
) -> Codebook:
    """Eq. (4): both averages after a batch, whose codes `codes_of` gives."""
    return Codebook(
        decay * book.counts + (1 - decay) * counts, decay * book.sums + (1 - decay) * sums
    )


def codes_of(book: Codebook, epsilon: float = 1e-5) -> Float[Array, "V D"]:
    """Of Eq. (4), `e_k = m_k / N_k`.

    An average count below epsilon is taken for epsilon, so that a code that is never used stays finite.
    """
    return book.sums / jnp.maximum(book.counts, epsilon)[:, None]


def perplexity(counts: Float[Array, " V"]) -> Float[Array, ""]:
    """Eq. (5): V where all codes are used alike, 1 where one is used alone."""
    shares = counts / jnp.maximum(jnp.sum(counts), 1e-30)
    logs = jnp.log(jnp.where(shares > 0, shares, 1.0))  # 0 log 0 = 0
    return jnp.exp(-jnp.sum(shares * logs))


def lloyd_step(vectors: Float[Array, "R D"], codes: Float[Array, "V D"]) -> Float[Array, "V D"]:
    """Eq. (6): each code the mean of the vectors nearest to it; where there are none it stays."""
    counts, sums = usage(vectors, nearest_code(vectors, codes), codes.shape[0])
    means = sums / jnp.maximum(counts, 1.0)[:, None]
    return jnp.where((counts > 0)[:, None], means, codes)


def revived(
    book: Codebook, candidates: Float[Array, "R D"], threshold: float
) -> tuple[Codebook, Float[Array, ""]]:
    """Eq. (7): (the codebook, how many codes were put on candidates).

    The k-th code takes the candidate k modulo R, which the caller has put in random order. Its average
    count becomes the mean of all, so that it is not revived again before it had time to be used.
    """
    V, R = book.counts.shape[0], candidates.shape[0]
    dead = book.counts < threshold
    fresh = jnp.mean(book.counts)
    counts = jnp.where(dead, fresh, book.counts)
    rows = widen(candidates)[jnp.arange(V) % R]
    sums = jnp.where(dead[:, None], fresh * rows, book.sums)
    return Codebook(counts, sums), jnp.sum(dead).astype(jnp.float32)
