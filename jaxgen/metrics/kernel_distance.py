"""The kernel distance between two sets of vectors, which takes neither of them for a Gaussian.

(1) k(x, y) = (x·y / D + 1)³
(2) d = E k(x, x') + E k(y, y') − 2 E k(x, y),  x ≠ x', y ≠ y'

Bińkowski et al. 2018, "Demystifying MMD GANs", section 4, https://arxiv.org/abs/1801.01401, where it is
called KID with the features of InceptionV3; Gretton et al. 2012, lemma 6, for the unbiased Eq. (2), which
may be a little below 0. In float64.
"""

import numpy as np
from jaxtyping import Float

from jaxgen.errors import UserError


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
    return float(within[0] + within[1] - 2 * _kernel(first, second).mean())


def _kernel(first: Float[np.ndarray, "n D"], second: Float[np.ndarray, "m D"]):
    """Eq. (1) for every pair."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def _mean_of_others(vectors: Float[np.ndarray, "n D"]) -> float:
    """The mean over pairs of two different vectors."""
    pairs, count = _kernel(vectors, vectors), len(vectors)
    return (pairs.sum() - np.trace(pairs)) / (count * (count - 1))
