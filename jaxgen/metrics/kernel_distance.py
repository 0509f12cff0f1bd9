"""The kernel distance between two sets of vectors, which takes neither of them for a Gaussian.

(1) k(x, y) = (x·y / D + 1)³
(2) d = E k(x, x') + E k(y, y') − 2 E k(x, y),  x ≠ x', y ≠ y'

Bińkowski et al. 2018, "Demystifying MMD GANs", section 4, https://arxiv.org/abs/1801.01401, where it is
called KID with the features of InceptionV3; Gretton et al. 2012, lemma 6, for Eq. (2) without bias,
which may be a little below 0. In float64.
"""

import numpy as np
from jaxtyping import Float

from jaxgen.errors import UserError

BLOCK = 1000


def kernel_distance(first: Float[np.ndarray, "n D"], second: Float[np.ndarray, "m D"]) -> float:
    """Eq. (2), the squared maximum mean discrepancy, without bias; each set has a vector a row.

    Raises:
      UserError: a set has fewer than two vectors.
    """
    if min(len(first), len(second)) < 2:
        raise UserError(
            f"A kernel distance needs 2 vectors or more in each set, and there are {len(first)} and "
            f"{len(second)}: draw more."
        )
    first, second = first.astype(np.float64), second.astype(np.float64)
    within = [_mean_of_others(vectors) for vectors in (first, second)]
    between = _kernel_sum(first, second) / (len(first) * len(second))
    return float(within[0] + within[1] - 2 * between)


def _kernel_sum(first: Float[np.ndarray, "n D"], second: Float[np.ndarray, "m D"]) -> float:
    """Eq. (1), summed over every pair, so many rows at once that any number has room."""
    blocks = (first[row : row + BLOCK] for row in range(0, len(first), BLOCK))
    return sum(float(((block @ second.T / first.shape[1] + 1) ** 3).sum()) for block in blocks)


def _mean_of_others(vectors: Float[np.ndarray, "n D"]) -> float:
    """The mean over pairs of two different vectors."""
    with_itself = (((vectors**2).sum(1) / vectors.shape[1] + 1) ** 3).sum()
    count = len(vectors)
    return (_kernel_sum(vectors, vectors) - float(with_itself)) / (count * (count - 1))
