"""The ring and the grid have the moments of their mixture, and their spec comes back from JSON."""

import numpy as np
import pytest
from scipy import stats

from jaxgen.data import load, spec_from_json
from jaxgen.data.points.mixtures import ring


@pytest.mark.parametrize(("source", "modes", "deviation"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_points_have_the_moments_of_their_components(source, modes, deviation):
    data = load(source, kind="points")
    part = data.train.take(data.train.arrays, np.arange(data.train.num_examples))
    assert part["point"].dtype == np.float32 and (data.spec.num_classes, data.spec.size) == (
        modes,
        2,
    )
    n = data.train.num_examples
    for mode, centre in enumerate(data.spec.mixture.centres):
        own = part["point"][part["label"] == mode]
        assert abs(len(own) - n / modes) < 4 * np.sqrt(n / modes)
        error = deviation / np.sqrt(len(own))
        assert np.abs(own.mean(0) - centre).max() < 4.5 * error
        assert own.std(0) == pytest.approx([deviation, deviation], rel=0.05)
        if source == "ring":
            assert np.hypot(*centre) == pytest.approx(1)
    if source == "grid":
        assert sorted(set(np.ravel(data.spec.mixture.centres))) == [-4, -2, 0, 2, 4]
    assert data.test.num_examples == 10_000
    assert not np.isin(data.test.arrays["point"][:, 0], data.train.arrays["point"][:, 0]).all()


def test_the_spec_comes_back_from_json_and_a_damaged_one_is_refused():
    spec = load("ring", kind="points").spec
    values = spec.to_json()
    assert values["kind"] == "points" and spec_from_json(values) == spec
    for damage in (
        {"deviation": 0}, {"deviation": float("nan")}, {"centres": [[1.0]]}, {"centres": []},
        {"size": -2}, {"centres": 3},
    ):  # fmt: skip
        with pytest.raises((KeyError, TypeError, ValueError)):
            spec_from_json(values | damage)


def test_the_density_is_scipy_s_mixture_and_its_entropy_that_of_the_draws():
    """Of the ring, by SciPy's normals; and −E log p of draws, log 8 + 2 log(0.01 sqrt(2 π e))."""
    mixture = ring()
    points = mixture.draw(50, seed=3).arrays["point"]
    each = [
        stats.multivariate_normal(c, 0.01**2).pdf(points.astype(float)) for c in mixture.centres
    ]
    np.testing.assert_allclose(mixture.log_density(points), np.log(np.mean(each, 0)), rtol=1e-6)
    nats = -mixture.log_density(mixture.draw(20_000, seed=4).arrays["point"])
    expected = np.log(8) + 2 * np.log(0.01 * np.sqrt(2 * np.pi * np.e))
    assert abs(nats.mean() - expected) < 5 / np.sqrt(20_000)  # |x|²/2σ² has variance 1
