"""Two sets of vectors by their neighbourhoods: is what is generated real, is all that is real generated.

A vector's neighbourhood is the ball that reaches to its k-th nearest fellow, real or generated.

(1) precision = the share of generated vectors in any real neighbourhood
(2) recall    = the share of real vectors in any generated neighbourhood
(3) density   = (real neighbourhoods that hold a generated vector) / k, mean over the generated vectors
(4) coverage  = the share of real neighbourhoods that hold a generated vector

(1), (2): Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative
models", section 2, https://arxiv.org/abs/1904.06991; (3), (4): Naeem et al. 2020, "Reliable fidelity and
diversity metrics for generative models", section 3, https://arxiv.org/abs/2002.09797, where one outlier
among the real vectors cannot make everything around it precise.
"""

import numpy as np
from jaxtyping import Float

from jaxgen.errors import UserError

BLOCK = 1000  # rows of distances at once


def neighbour_metrics(
    real: Float[np.ndarray, "n D"], fake: Float[np.ndarray, "m D"], k: int = 3
) -> dict[str, float]:
    """Eqs. (1) to (4): `precision`, `recall`, `density`, `coverage`; each set has a vector a row.

    Raises:
      UserError: a set has no k-th neighbour.
    """
    if min(len(real), len(fake)) <= k:
        raise UserError(
            f"The {k}-th neighbour needs {k + 1} vectors or more in each set, and there are {len(real)} "
            f"and {len(fake)}: draw more."
        )
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    real_radius, fake_radius = _reach(real, k), _reach(fake, k)
    holders, recalled = np.zeros(len(fake)), np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for first in range(0, len(real), BLOCK):
        rows = slice(first, first + BLOCK)
        squared = _squared(real[rows], fake)
        held = squared <= real_radius[rows, None]
        holders += held.sum(0)
        covered[rows] = held.any(1)
        recalled[rows] = (squared <= fake_radius[None]).any(1)
    return {
        "precision": float((holders > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(holders.mean() / k),
        "coverage": float(covered.mean()),
    }


def _reach(vectors: Float[np.ndarray, "n D"], k: int) -> Float[np.ndarray, " n"]:
    """The squared distance of each vector to its k-th nearest fellow."""
    parts = []
    for first in range(0, len(vectors), BLOCK):
        squared = _squared(vectors[first : first + BLOCK], vectors)
        squared[
            np.arange(len(squared)), first + np.arange(len(squared))
        ] = -1.0  # itself comes first
        parts.append(np.partition(squared, k, axis=1)[:, k])
    return np.concatenate(parts)


def _squared(first: Float[np.ndarray, "n D"], second: Float[np.ndarray, "m D"]):
    lengths = (first**2).sum(1)[:, None] + (second**2).sum(1)[None]
    return np.maximum(lengths - 2 * first @ second.T, 0.0)
