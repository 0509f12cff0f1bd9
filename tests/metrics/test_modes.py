"""Modes by hand, and true samples of the ring and the grid at their ceiling."""

import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.metrics.modes import mode_metrics


def test_by_hand():
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.array([[0.1, 0.2], [0.0, 3.1], [9.0, 2.8], [9.0, 2.9], [0.0, 0.0]])
    found = mode_metrics(points, centres, 1.0)
    # 0, 3.1 and 3.07 away from the third and fourth: of high quality are 0, 2 (2.97) and 4
    assert found["modes"] == 2 and found["high_quality"] == pytest.approx(3 / 5)
    assert found["reverse_kl"] == pytest.approx(0.6 * np.log(1.8) + 0.4 * np.log(1.2))


@pytest.mark.parametrize(("source", "modes"), [("ring", 8), ("grid", 25)])
def test_true_samples_have_what_theory_says(source, modes):
    mixture = load(source, kind="points").spec.mixture
    found = [
        mode_metrics(
            mixture.draw(2500, seed).arrays["point"], np.asarray(mixture.centres), mixture.deviation
        )
        for seed in range(30)
    ]
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert mean["modes"] == modes
    share = 1 - np.exp(-4.5)
    error = np.sqrt(share * (1 - share) / 2500 / 30)
    assert abs(mean["high_quality"] - share) < 4 * error
    assert mean["reverse_kl"] == pytest.approx((modes - 1) / 5000, rel=0.25)
