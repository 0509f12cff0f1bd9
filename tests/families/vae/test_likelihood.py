"""Every likelihood by name against scipy, and its draws against itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.names import judged_pixels, outputs_of

B, X, V = 3, 7, 5
RNG = np.random.default_rng(0)
PARAMS = {"log_variance": jnp.float32(-1.2)}


def outputs_for(name):
    count = outputs_of(name, V)
    return RNG.standard_normal((B, X, count) if count > 1 else (B, X)).astype(np.float32)


def scipys(name, outputs, x):
    """log p of each pixel in float64."""
    wide = outputs.astype(np.float64)
    match name:
        case "bernoulli":
            return np.where(x > 0.5, special.log_expit(wide), special.log_expit(-wide))
        case "gaussian-fixed":
            return stats.norm(wide, 0.3).logpdf(x)
        case "gaussian-learned":
            return stats.norm(wide, np.exp(-0.6)).logpdf(x)
        case "gaussian-pixel":
            return stats.norm(wide[..., 0], np.exp(wide[..., 1] / 2)).logpdf(x)
        case "categorical":
            level = np.rint(x * (V - 1)).astype(int)
            return np.take_along_axis(special.log_softmax(wide, -1), level[..., None], -1)[..., 0]
    logistic, half, y = stats.logistic(wide[..., 0], np.exp(wide[..., 1])), 1 / (V - 1), 2 * x - 1
    upper = np.where(x == 1, 1.0, logistic.cdf(y + half))
    return np.log(upper - np.where(x == 0, 0.0, logistic.cdf(y - half)))


@pytest.mark.parametrize(
    "name",
    [
        "bernoulli",
        "gaussian-fixed",
        "gaussian-learned",
        "gaussian-pixel",
        "logistic",
        "categorical",
    ],
)
def test_log_density_is_scipys_and_draws_are_of_it(name):
    """The mean of many draws within five standard errors, of the first image's pixels."""
    likelihood = Likelihood(name, V if name in ("logistic", "categorical") else 0, 0.3)
    levels = {"bernoulli": 2}.get(name, V)
    x = RNG.integers(0, levels, (B, X)) / (levels - 1)
    outputs = outputs_for(name)

    @jax.jit
    def both(outputs, x, keys):
        many = jax.vmap(lambda key: likelihood.draw(PARAMS, key, outputs))(keys)
        return likelihood.log_density(PARAMS, outputs, x), many, likelihood.mean(outputs)

    keys = jax.random.split(jax.random.key(1), 4000)
    found, drawn, mean = both(jnp.asarray(outputs), jnp.asarray(x, jnp.float32), keys)
    np.testing.assert_allclose(found, scipys(name, outputs, x).sum(1), rtol=2e-5, atol=1e-5)
    drawn = np.asarray(drawn, np.float64)
    error = drawn.std(0) / np.sqrt(len(drawn))
    if name in ("bernoulli", "categorical"):
        expected = np.asarray(mean, np.float64)
    elif (
        name == "logistic"
    ):  # its mean over the levels, which clipping moves from the logistic's own
        every = np.linspace(0, 1, V)
        p = np.exp([scipys(name, outputs, np.full((B, X), value)) for value in every])
        expected = np.tensordot(every, p, 1)
    else:
        expected = outputs[..., 0] if name == "gaussian-pixel" else outputs
        np.testing.assert_allclose(mean, np.clip(expected, 0, 1))
    assert np.all(np.abs(drawn.mean(0) - expected) < 5 * error)


def test_numbers_name_the_pixels_that_they_are_of():
    assert judged_pixels("bernoulli", "once", 0) == "drawn-once"
    assert judged_pixels("bernoulli", "draw", 0) == "drawn-anew"
    assert judged_pixels("bernoulli", "grey", 0) == "grey"
    assert judged_pixels("logistic", "no", 17) == "17-levels"
    assert judged_pixels("gaussian-learned", "no", 0) == "grey-density"
