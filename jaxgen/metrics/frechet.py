"""The Fréchet distance between two sets of vectors, each taken for a Gaussian.

(1) d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

Dowson & Landau 1982; Heusel et al. 2017 (Eq. 6, on classifier features),
https://arxiv.org/abs/1706.08500. In float64: the difference of traces cancels.
"""

import numpy as np
from jaxtyping import Float


def frechet_distance(first: Float[np.ndarray, "n D"], second: Float[np.ndarray, "m D"]) -> float:
    """Eq. (1), squared distance in the units of the features squared; each set has a vector a row.

    tr((C1 C2)^(1/2)) is the sum of the square roots of the eigenvalues of C1^(1/2) C2 C1^(1/2),
    which is symmetric, so that no complex root of a product of two matrices is needed.
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    C1, C2 = (np.atleast_2d(np.cov(vectors, rowvar=False)) for vectors in (first, second))
    eigenvalues, vectors = np.linalg.eigh(C1)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0)) @ vectors.T
    cross = np.linalg.eigvalsh(root @ C2 @ root)
    means = np.sum((first.mean(0) - second.mean(0)) ** 2)
    return float(means + np.trace(C1) + np.trace(C2) - 2 * np.sum(np.sqrt(np.maximum(cross, 0.0))))
