import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.equations import likelihoods, sound

log_probability = jax.jit(
    likelihoods.discretised_logistic_log_probability, static_argnames="levels"
)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_discretised_logistic_sums_to_one_and_is_scipys(levels):
    """Over the levels, for means inside, at an end and beyond, and scales from narrow to flat."""
    means, log_scales = (-1.0, 0.03, 1.7), (-6.0, -2.5, 1.0)
    grid = np.linspace(-1, 1, levels).astype(np.float32)
    x, mean, log_scale = (a.ravel() for a in np.meshgrid(grid, means, log_scales, indexing="ij"))
    found = np.asarray(
        log_probability(*(jnp.asarray(a, jnp.float32) for a in (x, mean, log_scale)), levels)
    )
    sums = np.exp(found.astype(np.float64)).reshape(levels, -1).sum(0)
    np.testing.assert_allclose(sums, 1.0, atol=2e-5)
    logistic, half = stats.logistic(mean, np.exp(log_scale)), 1 / (levels - 1)
    upper = np.where(x > 1 - half, 1.0, logistic.cdf(x.astype(np.float64) + half))
    lower = np.where(x < -1 + half, 0.0, logistic.cdf(x.astype(np.float64) - half))
    # Far out the difference of two probabilities near 0 or 1 has no digits left, even in float64.
    seen = upper - lower > 1e-9
    # float32's x is off by up to 6e-8, which a scale of e^-6 makes 2.4e-5
    np.testing.assert_allclose(found[seen], np.log((upper - lower)[seen]), rtol=1e-5, atol=1e-4)


def test_discretised_logistic_is_a_mixture_of_one(normal):
    x, mean, log_scale = jnp.linspace(-1, 1, 17), normal(17), normal(17)
    parameters = jnp.stack([jnp.zeros(17), mean, log_scale], axis=-1)
    np.testing.assert_allclose(
        log_probability(x, mean, log_scale, 17),
        -sound.logistic_mixture_nats(parameters, x, 17),
        rtol=1e-6,
    )


def test_discretised_logistic_is_finite_far_from_its_mean_with_a_gradient(gradient_holds):
    x, mean = jnp.asarray([-1.0, 0.0, 1.0]), jnp.asarray([80.0, 80.0, -80.0])
    log_scale = jnp.asarray([-2.0, -14.0, -20.0])
    value, pull_back = jax.vjp(lambda *a: log_probability(x, *a, 17), mean, log_scale)
    for array in (value, *pull_back(jnp.ones(3))):
        assert np.all(np.isfinite(array))
    gradient_holds(
        lambda mean, log_scale: likelihoods.discretised_logistic_log_probability(
            jnp.asarray([-1.0, 0.25, 1.0]), mean, log_scale, 17
        ),
        [0.1, -0.2, 0.3], [-1.0, -2.0, 0.5],
    )  # fmt: skip
