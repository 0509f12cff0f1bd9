import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from jaxgen.equations import vae

B, X = 3, 7

# Compiled whole, which takes less time than compiling each of their operations apart.
gaussian_log_density = jax.jit(vae.gaussian_log_density)
gaussian_kl = jax.jit(vae.gaussian_kl)


def float64(*arrays):
    return (np.asarray(a, np.float64) for a in arrays)


def kl_by_quadrature(q_mean, q_deviation, p_mean=0.0, p_deviation=1.0):
    """KL between Gaussians on lines, by numerical integration of q log(q/p) over 12 deviations."""
    steps = np.linspace(-12, 12, 2001).reshape(-1, *[1] * q_mean.ndim)
    z = q_mean + steps * q_deviation
    log_q, log_p = (
        stats.norm.logpdf(z, q_mean, q_deviation),
        stats.norm.logpdf(z, p_mean, p_deviation),
    )
    return integrate.trapezoid(np.exp(log_q) * (log_q - log_p), z, axis=0)


def test_reparameterise_by_hand():
    mean, noise = jnp.asarray([[1.0, -2.0]]), jnp.asarray([[2.0, -1.0]])
    log_variance = jnp.asarray([[0.0, 2 * np.log(3.0)]], jnp.float32)
    np.testing.assert_allclose(
        vae.reparameterise(mean, log_variance, noise), [[3.0, -5.0]], rtol=1e-6
    )


def test_reparameterised_draws_have_the_mean_the_variance_and_the_gradients(normal):
    draws = 20_000
    noise = normal(draws, 1)
    mean, log_variance = jnp.full((draws, 1), 1.5), jnp.full((draws, 1), np.log(0.25))
    z = np.asarray(vae.reparameterise(mean, log_variance.astype(jnp.float32), noise))
    five_sigma = 5 / np.sqrt(draws)
    assert abs(z.mean() - 1.5) < five_sigma * 0.5
    assert abs(z.var() - 0.25) < five_sigma * 0.25 * np.sqrt(2)

    # E[z²] = μ² + σ²: its derivatives are 2μ and, by log σ², σ².
    def second_moment(mean, log_variance):
        return jnp.sum(jnp.square(vae.reparameterise(mean, log_variance, noise))) / draws

    by_mean, by_log_variance = jax.grad(second_moment, (0, 1))(
        mean, log_variance.astype(jnp.float32)
    )
    assert abs(float(by_mean.sum()) - 3.0) < five_sigma * 1.0  # deviation of 2z
    assert abs(float(by_log_variance.sum()) - 0.25) < five_sigma * 1.0  # of zσε, below one


def test_gaussian_log_density_is_scipys(normal):
    x, mean, log_variance = normal(B, X), normal(B, X), normal(B, X)
    x64, mean64, log_variance64 = float64(x, mean, log_variance)
    expected = stats.norm.logpdf(x64, mean64, np.exp(log_variance64 / 2)).sum(axis=-1)
    np.testing.assert_allclose(gaussian_log_density(x, mean, log_variance), expected, rtol=5e-6)


def test_gradient_of_the_gaussian_log_density(normal, gradient_holds):
    gradient_holds(vae.gaussian_log_density, normal(2, 3), normal(2, 3), normal(2, 3))


def test_printed_gaussian_takes_a_deviation_for_a_variance(normal):
    x, mean, deviation = normal(B, X), normal(B, X), jnp.exp(normal(B, X))
    x64, mean64, deviation64 = float64(x, mean, deviation)
    printed = vae.printed_gaussian_log_density(x, mean, deviation)
    read_as_variance = stats.norm.logpdf(x64, mean64, np.sqrt(deviation64)).sum(axis=-1)
    np.testing.assert_allclose(printed, read_as_variance, rtol=5e-6)
    # With the variance that the text means, the density is another; with σ = 1, the same.
    right = gaussian_log_density(x, mean, 2 * jnp.log(deviation))
    assert np.all(np.abs(np.asarray(printed - right)) > 0.1)
    ones = jnp.ones((B, X))
    np.testing.assert_allclose(
        vae.printed_gaussian_log_density(x, mean, ones),
        gaussian_log_density(x, mean, jnp.zeros((B, X))),
        rtol=1e-6,
    )


def test_the_printed_reading_fits_the_wrong_spread(normal):
    """The maximum-likelihood σ of data with deviation 3 is 9 by the printed reading."""
    x = 3 * normal(2000, 1)
    deviations = np.linspace(2, 11, 181)
    mean = jnp.zeros((2000, 1))

    def best(log_density, parameters):
        mean_nats = jax.jit(lambda value: log_density(x, mean, jnp.full(x.shape, value)).mean())
        return deviations[np.argmax([mean_nats(np.float32(p)) for p in parameters])]

    right = best(vae.gaussian_log_density, 2 * np.log(deviations))
    printed = best(vae.printed_gaussian_log_density, deviations)
    empirical = float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))
    assert right == pytest.approx(empirical, abs=0.05)
    assert printed == pytest.approx(empirical**2, abs=0.05)


def test_bernoulli_log_density_is_scipys_for_binary_data(normal):
    logits = 3 * normal(B, X)
    x = jnp.asarray(np.random.default_rng(6).integers(0, 2, (B, X)), jnp.float32)
    x64, logits64 = float64(x, logits)
    expected = stats.bernoulli.logpmf(x64, special.expit(logits64)).sum(axis=-1)
    np.testing.assert_allclose(vae.bernoulli_log_density(x, logits), expected, rtol=1e-5)


def test_bernoulli_log_density_of_grey_is_the_cross_entropy(normal, gradient_holds):
    logits = 3 * normal(B, X)
    x = special.expit(normal(B, X))
    x64, logits64 = float64(x, logits)
    expected = x64 * special.log_expit(logits64) + (1 - x64) * special.log_expit(-logits64)
    found = vae.bernoulli_log_density(jnp.asarray(x), logits)
    np.testing.assert_allclose(found, expected.sum(axis=-1), rtol=1e-5)
    gradient_holds(vae.bernoulli_log_density, x, logits)


def test_bernoulli_log_density_is_finite_at_extreme_logits(finite_at_extremes):
    for pixel in (0.0, 0.5, 1.0):
        finite_at_extremes(
            lambda logits, pixel=pixel: vae.bernoulli_log_density(
                jnp.full((*logits.shape, 1), pixel), logits[:, None]
            ),
            1,
        )
    sure = vae.bernoulli_log_density(jnp.asarray([[1.0], [1.0]]), jnp.asarray([[1e4], [-1e4]]))
    np.testing.assert_allclose(sure, [0.0, -1e4])


def test_gaussian_kl_is_the_integral(normal):
    mean, log_variance = normal(B, X), normal(B, X)
    mean64, log_variance64 = float64(mean, log_variance)
    expected = kl_by_quadrature(mean64, np.exp(log_variance64 / 2)).sum(axis=-1)
    np.testing.assert_allclose(gaussian_kl(mean, log_variance), expected, rtol=1e-5)


def test_gaussian_kl_keeps_its_digits_next_to_the_prior():
    # To second order the divergence is δ²/4 for log σ² = δ; summed term by term in float32 the
    # four numbers near 1 leave only rounding error.
    found = float(gaussian_kl(jnp.zeros((1, 1)), jnp.full((1, 1), 1e-3))[0])
    assert found == pytest.approx(0.25e-6, rel=2e-2)
    assert float(gaussian_kl(jnp.zeros((1, X)), jnp.zeros((1, X)))[0]) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6))
def test_gaussian_kl_is_never_negative(numbers):
    mean, log_variance = jnp.split(jnp.asarray(numbers, jnp.float32)[None], 2, axis=-1)
    assert float(gaussian_kl(mean, log_variance)[0]) >= 0.0


def test_gradient_of_the_gaussian_kl(normal, gradient_holds):
    gradient_holds(vae.gaussian_kl, normal(2, 3), normal(2, 3))


def test_densities_of_bfloat16_are_summed_in_float32(normal):
    # Each of 1024 terms is about 1; bfloat16 would stop counting at 256.
    x = normal(B, 1024).astype(jnp.bfloat16)
    for function, count in (
        (vae.gaussian_log_density, 3),
        (vae.bernoulli_log_density, 2),
        (vae.gaussian_kl, 2),
    ):
        found = function(*[x] * count)
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, function(*[x.astype(jnp.float32)] * count))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_bounds_and_draws_of_narrow_numbers_are_made_in_float32(normal, dtype):
    """Adding a KL of 1 to 2048 nats is lost in either; by hand and against the widened inputs."""
    nats, one = jnp.full(B, 2048.0, dtype), jnp.ones(B, dtype)
    pairs = [
        (vae.negative_elbo, 2049.0), (vae.printed_negative_elbo, 2047.0),
        (vae.rate_distortion, 2049.0), (lambda d, r: vae.rate_distortion(d, r, 0.25), 2048.25),
    ]  # fmt: skip
    for function, expected in pairs:
        found = function(nats, one)
        assert found.dtype == jnp.float32
        assert found.tolist() == [expected] * B
    arrays = [normal(B, X).astype(dtype) for _ in range(4)]
    found = vae.printed_rate_distortion(nats, *arrays)
    np.testing.assert_array_equal(found, vae.printed_rate_distortion(2048 * jnp.ones(B), *arrays))
    assert found.dtype == jnp.float32
    draw = vae.reparameterise(*arrays[:3])
    assert draw.dtype == jnp.float32
    mean, log_variance, noise = float64(*arrays[:3])
    np.testing.assert_allclose(draw, mean + np.exp(log_variance / 2) * noise, atol=2e-6)


@pytest.mark.parametrize("shift", [0.0, 0.7, -2.0])
def test_negative_elbo_bounds_the_evidence_and_meets_it_at_the_posterior(shift):
    """p(z) = N(0, 1), p(x|z) = N(z, s²): evidence N(0, 1 + s²), posterior N(x, s²) / (1 + s²)."""
    x, variance = 1.3, 0.5
    evidence = -stats.norm.logpdf(x, 0, np.sqrt(1 + variance))
    q_mean, q_variance = x / (1 + variance) + shift, variance / (1 + variance)
    nodes, quadrature = np.polynomial.hermite_e.hermegauss(20)
    z = jnp.asarray(q_mean + np.sqrt(q_variance) * nodes, jnp.float32)[:, None]
    one = jnp.ones((20, 1))
    density = gaussian_log_density(x * one, z, np.float32(np.log(variance)) * one)
    expected = -(np.asarray(density, np.float64) @ quadrature) / quadrature.sum()
    kl = gaussian_kl(
        jnp.asarray([[q_mean]], jnp.float32), jnp.asarray([[np.log(q_variance)]], jnp.float32)
    )
    found = float(vae.negative_elbo(jnp.asarray([expected], jnp.float32), kl)[0])
    gap = shift**2 / (2 * q_variance)  # the divergence of q from the posterior
    assert found == pytest.approx(evidence + gap, rel=1e-5)


def test_printed_elbo_falls_without_bound_as_q_leaves_the_prior():
    """Descent on a VAE that decodes nothing: only the divergence is left to move the encoder."""
    nats = jnp.asarray([100.0])

    def run(loss, steps):
        def total(mean):
            return loss(nats, gaussian_kl(mean, jnp.zeros((1, 1))))[0]

        step = jax.jit(jax.value_and_grad(total))
        mean = jnp.full((1, 1), 0.1)
        for _ in range(steps):
            value, gradient = step(mean)
            mean = mean - 0.5 * gradient
        return float(value)

    assert run(vae.negative_elbo, 40) == pytest.approx(100.0, abs=1e-4)
    printed = [run(vae.printed_negative_elbo, steps) for steps in (10, 20, 40)]
    # The mean grows by half at each step: 100 − ½ (0.1 · 1.5ⁿ)² with n the steps before the last.
    expected = [100 - 0.5 * (0.1 * 1.5 ** (n - 1)) ** 2 for n in (10, 20, 40)]
    np.testing.assert_allclose(printed, expected, rtol=1e-4)
    assert printed[-1] < -1e9


def test_rate_distortion_prices_the_rate():
    distortion, rate = jnp.asarray([80.0, 3.0]), jnp.asarray([20.0, 5.0])
    assert vae.rate_distortion(distortion, rate).tolist() == [100.0, 8.0]
    assert vae.rate_distortion(distortion, rate, beta=4.0).tolist() == [160.0, 23.0]


def test_printed_rate_is_a_divergence_over_the_data(normal):
    arrays = [normal(B, X) for _ in range(4)]
    q_mean, q_log, p_mean, p_log = float64(*arrays)
    expected = kl_by_quadrature(q_mean, np.exp(q_log / 2), p_mean, np.exp(p_log / 2))
    found = vae.printed_rate_distortion(jnp.arange(3.0), *arrays)
    np.testing.assert_allclose(found, np.arange(3) + expected.sum(axis=-1), rtol=1e-5)


def test_printed_rate_prices_no_code(normal):
    """An encoder that writes x into z pays by the right form and nothing by the printed one."""
    x_mean, x_log_variance = normal(B, X), normal(B, X)
    distortion = jnp.zeros(B)
    printed = vae.printed_rate_distortion(
        distortion, x_mean, x_log_variance, x_mean, x_log_variance
    )
    assert printed.tolist() == [0.0] * B
    right = vae.rate_distortion(distortion, gaussian_kl(3 * x_mean, jnp.full((B, X), -6.0)))
    assert np.all(np.asarray(right) > 10.0)
