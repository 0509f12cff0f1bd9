"""The Fréchet distance against closed forms, scipy's matrix root and what must not change it."""

import numpy as np
import pytest
from scipy import linalg

from jaxgen.metrics.frechet import frechet_distance


def exact_set(mean, variances):
    """Two vectors along each axis, whose sample mean and covariance are exactly those given."""
    D = len(mean)
    reach = np.diag(np.sqrt(np.asarray(variances) * (2 * D - 1) / 2))
    return np.asarray(mean) + np.concatenate([reach, -reach])


@pytest.fixture
def sets():
    """Correlated, of different sizes: 23 and 19 vectors of 5."""
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((23, 5)) @ rng.standard_normal((5, 5)) + 1.0,
        rng.standard_normal((19, 5)) @ rng.standard_normal((5, 5)) - 0.5,
    )


def test_diagonal_gaussians_by_hand():
    """|m1 - m2|² + sum (s1 - s2)² = (1 + 4 + 9) + (1 + 4 + 0)."""
    first = exact_set([0.0, 0.0, 0.0], [1.0, 9.0, 4.0])
    second = exact_set([1.0, -2.0, 3.0], [4.0, 1.0, 4.0])
    assert frechet_distance(first, second) == pytest.approx(19.0, rel=1e-12)


def test_one_dimension_by_hand():
    """{0, 2} and {1, 5, 9}: (1 - 5)² + (sqrt 2 - 4)²."""
    first, second = np.asarray([[0.0], [2.0]]), np.asarray([[1.0], [5.0], [9.0]])
    expected = 16 + (np.sqrt(2) - 4) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


def test_equal_sets_are_at_no_distance(sets):
    first, _ = sets
    assert abs(frechet_distance(first, np.random.default_rng(1).permutation(first))) < 1e-12


def test_the_same_as_with_the_matrix_root_of_the_product(sets):
    first, second = sets
    C1, C2 = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(C1 @ C2)
    means = np.sum((first.mean(0) - second.mean(0)) ** 2)
    expected = means + np.trace(C1 + C2 - 2 * root.real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_turning_and_moving_both_sets_changes_nothing(sets):
    first, second = sets
    turn = linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))[0]
    moved = (part @ turn + np.arange(5.0) for part in (first, second))
    assert frechet_distance(*moved) == pytest.approx(frechet_distance(first, second), rel=1e-10)


def test_features_that_are_constant_add_only_their_means(sets):
    """Such as the corners of the digits: the covariances are then singular."""
    first, second = (np.pad(part, ((0, 0), (0, 2))) for part in sets)
    second[:, -1] = 3.0
    expected = frechet_distance(*sets) + 9.0
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_images_in_float32_are_judged_in_float64():
    """Two sets far from the origin, 1e-3 apart: in float32 the traces would cancel to noise."""
    rng = np.random.default_rng(3)
    first = (100 + rng.standard_normal((211, 5))).astype(np.float32)
    second = first + np.float32(2**-10)  # the shift is exact enough: 100 has steps of 2^-17
    assert frechet_distance(first, second) == pytest.approx(5 * 2.0**-20, rel=1e-3)
