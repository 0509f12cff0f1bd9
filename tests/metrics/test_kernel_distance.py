"""The kernel distance against a double loop, and against its expectation for two Gaussians."""

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.metrics.kernel_distance import kernel_distance


def test_by_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((5, 3)), 1 + rng.standard_normal((7, 3))

    def k(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / 3 + 1) ** 3

    def within(vectors):
        pairs = [k(x, y) for i, x in enumerate(vectors) for j, y in enumerate(vectors) if i != j]
        return sum(pairs) / len(pairs)

    between = sum(k(x, y) for x in first for y in second) / 35
    expected = within(first) + within(second) - 2 * between
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-12)
    assert kernel_distance(second, first) == pytest.approx(expected, rel=1e-12)


def test_of_points_by_hand():
    """All at 0 against all at 1 on a line: k is 1, (1 + 1)³ and 1."""
    first, second = np.zeros((3, 1)), np.ones((2, 1))
    assert kernel_distance(first, second) == pytest.approx(1 + 8 - 2)


def test_without_bias_for_equal_distributions_and_right_for_shifted_ones():
    """In one dimension E k = E (xy + 1)³; N(0, 1) against N(m, 1): moments by hand, within 5 sigma."""
    rng, m = np.random.default_rng(1), 0.7
    moments = {0.0: (0.0, 1.0, 0.0), m: (m, 1 + m**2, m**3 + 3 * m)}

    def mean_kernel(a, b):
        (a1, a2, a3), (b1, b2, b3) = moments[a], moments[b]
        return 1 + 3 * a1 * b1 + 3 * a2 * b2 + a3 * b3

    for shift in (0.0, m):
        found = [
            kernel_distance(rng.standard_normal((50, 1)), shift + rng.standard_normal((40, 1)))
            for _ in range(400)
        ]
        expected = mean_kernel(0.0, 0.0) + mean_kernel(shift, shift) - 2 * mean_kernel(0.0, shift)
        error = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - expected) < 5 * error
        assert shift or min(found) < 0 < max(found)


def test_one_vector_is_not_enough():
    with pytest.raises(UserError, match="there are 1 and 3: draw more"):
        kernel_distance(np.zeros((1, 2)), np.zeros((3, 2)))
