"""Precision, recall, density and coverage by hand, by a loop, and where theory knows them."""

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.metrics import neighbours
from jaxgen.metrics.neighbours import neighbour_metrics


def test_on_a_line_by_hand():
    """Real 0, 1, 3 reach 1, 1, 2 with k = 1; generated 0.5, 2, 10 reach 1.5, 1.5, 8."""
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [2.0], [10.0]])
    found = neighbour_metrics(real, fake, k=1)
    # 0.5 is held by the balls of 0 and 1, 2 by those of 1 and 3, 10 by none
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["density"] == pytest.approx((2 + 2 + 0) / 3)
    assert found["coverage"] == 1.0
    assert found["recall"] == 1.0  # 0 and 1 by 0.5, 3 by 2 and 10
    swapped = neighbour_metrics(fake, real, k=1)
    assert (swapped["precision"], swapped["recall"]) == (1.0, pytest.approx(2 / 3))


@pytest.mark.parametrize("block", [3, 1000])
def test_by_a_plain_loop(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(0)
    real, fake, k = rng.standard_normal((17, 4)), 0.7 + rng.standard_normal((13, 4)), 3

    def reach(vectors, x):
        return sorted(np.linalg.norm(vectors - x, axis=1))[k]  # the first is x itself

    inside = [[np.linalg.norm(x - y) <= reach(real, x) for y in fake] for x in real]
    other = [[np.linalg.norm(x - y) <= reach(fake, y) for y in fake] for x in real]
    inside, other = np.array(inside), np.array(other)
    expected = {
        "precision": inside.any(0).mean(), "recall": other.any(1).mean(),
        "density": inside.sum() / (k * 13), "coverage": inside.any(1).mean(),
    }  # fmt: skip
    assert neighbour_metrics(real, fake, k) == pytest.approx(expected)
    assert 0 < expected["precision"] < 1 and 0 < expected["coverage"] < 1


def test_of_one_distribution_density_is_one_and_coverage_is_known():
    """Naeem et al. 2020, section 3.2: E density = 1, E coverage = 1 − Π (n − 1 − i)/(2n − 1 − i)."""
    n, k, rng = 200, 5, np.random.default_rng(1)
    found = [
        neighbour_metrics(rng.standard_normal((n, 6)), rng.standard_normal((n, 6)), k)
        for _ in range(40)
    ]
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    error = {name: np.std([one[name] for one in found]) / np.sqrt(40) for name in found[0]}
    # Of 2n − 1 others none of the k nearest may be generated: they are then k real ones in a row.
    missed = np.prod([(n - 1 - i) / (2 * n - 1 - i) for i in range(k)])
    assert abs(mean["coverage"] - (1 - missed)) < 4 * error["coverage"]
    assert abs(mean["density"] - 1) < 4 * error["density"]


def test_a_lost_mode_costs_recall_and_coverage_and_no_precision():
    rng = np.random.default_rng(2)
    modes = np.array([[0.0, 0.0], [100.0, 0.0]])
    real = modes[rng.integers(2, size=300)] + rng.standard_normal((300, 2))
    fake = rng.standard_normal((300, 2))
    found = neighbour_metrics(real, fake)
    assert found["precision"] > 0.9
    assert found["recall"] < 0.6 and found["coverage"] < 0.6


def test_too_few_vectors():
    with pytest.raises(
        UserError, match="needs 4 vectors or more in each set, and there are 9 and 3"
    ):
        neighbour_metrics(np.zeros((9, 2)), np.zeros((3, 2)))
