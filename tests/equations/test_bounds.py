"""The bounds, most of them where log p(x) is known: p(z) = N(0, 1), p(x|z) = N(z, s²), q = N(m, v)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.equations import bounds, vae

X, S2 = 1.3, 0.5
EVIDENCE = stats.norm.logpdf(X, 0, np.sqrt(1 + S2))
POSTERIOR = (X / (1 + S2), S2 / (1 + S2))  # mean and variance

importance_weighted = jax.jit(bounds.importance_weighted_nats)


def density(x, mean, variance):
    shape = jnp.broadcast_shapes(jnp.shape(x), jnp.shape(mean), jnp.shape(variance))
    x, mean, log_variance = (
        jnp.broadcast_to(a, shape)[..., None] for a in (x, mean, jnp.log(variance))
    )
    return vae.gaussian_log_density(x, mean, log_variance)


def log_weights(z, q_mean, q_variance, variance=S2):
    """log w at z, of any shape."""
    return bounds.log_weight(
        density(jnp.float32(X), z, jnp.float32(variance)),
        density(z, jnp.float32(0.0), jnp.float32(1.0)),
        density(z, q_mean, q_variance),
    )


def drawn(repeats, draws, seed=0):
    noise = np.random.default_rng(seed).standard_normal((repeats, draws))
    return jnp.asarray(noise, jnp.float32)


def within_five_standard_errors(values, expected):
    values = np.asarray(values, np.float64)
    error = values.std(0) / np.sqrt(len(values))
    assert np.all(error > 0)
    return np.all(np.abs(values.mean(0) - expected) < 5 * error)


def test_log_weight_by_hand_and_constant_at_the_posterior():
    one = jnp.ones(2)
    assert bounds.log_weight(-90 * one, -30 * one, -12 * one).tolist() == [-108.0] * 2
    z = drawn(7, 5)
    found = log_weights(z, *map(jnp.float32, POSTERIOR))
    np.testing.assert_allclose(found, np.full((7, 5), EVIDENCE), rtol=1e-5)


def test_sampled_kl_has_the_closed_form_as_its_mean():
    """Of q = N(mean, diag σ²) in three dimensions, 40,000 draws."""
    mean, log_variance = jnp.asarray([0.5, -1.0, 0.1]), jnp.asarray([-1.0, 0.3, 0.0])

    @jax.jit
    def estimates(noise):
        rows = (jnp.broadcast_to(a, noise.shape) for a in (mean, log_variance))
        mean_rows, log_rows = rows
        z = vae.reparameterise(mean_rows, log_rows, noise)
        zeros = jnp.zeros_like(z)
        return bounds.sampled_kl(
            vae.gaussian_log_density(z, mean_rows, log_rows),
            vae.gaussian_log_density(z, zeros, zeros),
        )

    values = estimates(drawn(40_000, 3))
    exact = float(vae.gaussian_kl(mean[None], log_variance[None])[0])
    assert within_five_standard_errors(values, exact)
    assert np.min(values) < 0 < exact


def test_importance_weighted_nats_are_the_log_of_a_mean(normal, gradient_holds):
    weights = 30 * normal(3, 5)
    expected = np.log(5) - special.logsumexp(np.asarray(weights, np.float64), axis=1)
    np.testing.assert_allclose(importance_weighted(weights), expected, rtol=1e-6)
    np.testing.assert_array_equal(importance_weighted(weights[:, :1]), -weights[:, 0])
    far = jnp.asarray([[-1e4, -2e4]])
    np.testing.assert_allclose(importance_weighted(far), [1e4 + np.log(2)])
    gradient_holds(bounds.importance_weighted_nats, normal(2, 3))


def test_more_draws_never_loosen_the_bound_and_the_wrong_forms_lie_where_they_are_said_to():
    """Of any weights: −L_8 ≤ mean of −L_4 of the halves ≤ −L_2 ≤ −L_1, by Jensen; scales 0 to 60."""
    rng = np.random.default_rng(1)
    weights = rng.uniform(0, 60, (500, 1)) * rng.standard_normal((500, 8)) - 100
    weights[0] = weights[0, 0]  # all equal: every form is right

    @jax.jit
    def forms(weights):
        levels = [
            bounds.importance_weighted_nats(weights.reshape(500, -1, size)).mean(1)
            for size in (8, 4, 2, 1)
        ]
        wrong = (bounds.printed_importance_weighted_nats, bounds.self_weighted_nats)
        return jnp.stack(levels), jnp.stack([form(weights) for form in wrong])

    levels, (printed, self_weighted) = (
        np.asarray(a) for a in forms(jnp.asarray(weights, jnp.float32))
    )
    slack = 1e-3  # of float32's sums of numbers near 200
    assert np.all(np.diff(levels, axis=0) > -slack)
    assert np.all(printed >= levels[-1] - slack) and np.all(self_weighted <= levels[0] + slack)
    assert np.mean(printed > levels[-1] + 1) > 0.9 and np.mean(self_weighted < levels[0] - 1) > 0.9
    v = special.softmax(weights, axis=1)
    short = np.log(8) + special.xlogy(v, v).sum(1)  # log K less the entropy of v
    np.testing.assert_allclose(self_weighted, levels[0] - short, atol=2e-3)


def test_the_bound_rises_with_k_to_the_evidence_and_the_wrong_forms_miss_it():
    """q = N(0.2, 0.6) against a posterior N(0.87, 0.33); 4,000 repetitions of 256 draws."""
    z = 0.2 + np.sqrt(0.6) * drawn(4000, 256)

    @jax.jit
    def at_each(z):
        weights = log_weights(z, jnp.float32(0.2), jnp.float32(0.6))
        found = [
            bounds.importance_weighted_nats(weights.reshape(4000, -1, size)).mean(1)
            for size in (1, 4, 16, 64, 256)
        ]
        wrong = (bounds.printed_importance_weighted_nats, bounds.self_weighted_nats)
        return jnp.stack(found, 1), jnp.stack([form(weights[:, :16]) for form in wrong], 1)

    values, wrong = (np.asarray(a, np.float64).mean(0) for a in at_each(z))
    assert np.all(np.diff(values) < 0) and values[-1] > -EVIDENCE - 1e-3
    posterior_mean, posterior_variance = POSTERIOR
    gap = 0.5 * (
        np.log(posterior_variance / 0.6) - 1
        + (0.6 + (0.2 - posterior_mean) ** 2) / posterior_variance
    )  # fmt: skip
    assert values[0] == pytest.approx(-EVIDENCE + gap, abs=0.01)  # KL(q ‖ posterior), 0.98
    assert values[-1] == pytest.approx(-EVIDENCE, abs=5e-3)
    looser, no_bound = wrong
    assert looser > values[0] + 1.0
    assert no_bound < -EVIDENCE - 0.3


def dreg_and_plain(z_noise, phi, theta):
    """Per repetition: gradients by φ = (m, log v) and θ = log s² of the plain and of the DReG form."""

    def path(phi, noise):
        return phi[0] + jnp.exp(0.5 * phi[1]) * noise

    def plain(phi, theta, noise):
        weights = log_weights(path(phi, noise), phi[0], jnp.exp(phi[1]), jnp.exp(theta))
        return bounds.importance_weighted_nats(weights)

    def doubly(phi, theta, noise):
        held = jax.lax.stop_gradient(phi)

        def log_weight_of(theta, latent):
            return log_weights(latent[..., 0], held[0], jnp.exp(held[1]), jnp.exp(theta)), None

        return bounds.doubly_reparameterised_nats(
            log_weight_of, theta, path(phi, noise)[..., None]
        )[0]

    @jax.jit
    def both(noise):
        of = [
            jax.vmap(jax.value_and_grad(form, (0, 1)), (None, None, 0)) for form in (plain, doubly)
        ]
        return [each(phi, theta, noise) for each in of]

    return both(z_noise)


def test_dreg_has_the_plain_gradient_s_mean_and_less_noise():
    phi, theta = jnp.asarray([0.2, np.log(0.6)], jnp.float32), jnp.float32(np.log(S2))
    (value, (plain, by_theta)), (same, (doubly, same_by_theta)) = dreg_and_plain(
        drawn(20_000, 8), phi, theta
    )
    np.testing.assert_allclose(value, same, rtol=1e-6)
    np.testing.assert_allclose(by_theta, same_by_theta, rtol=1e-4, atol=1e-5)
    difference = np.asarray(plain, np.float64) - np.asarray(doubly, np.float64)
    assert within_five_standard_errors(difference, 0.0)
    assert np.all(np.abs(np.mean(doubly, 0)) > 0.02)  # there is something to be equal to
    assert np.all(np.std(doubly, 0) < 0.8 * np.std(plain, 0))


def test_dreg_stands_still_at_the_posterior_where_the_plain_gradient_shakes():
    mean, variance = POSTERIOR
    phi = jnp.asarray([mean, np.log(variance)], jnp.float32)
    (_, (plain, _)), (_, (doubly, _)) = dreg_and_plain(drawn(100, 8), phi, jnp.float32(np.log(S2)))
    np.testing.assert_allclose(doubly, 0.0, atol=1e-5)
    assert np.min(np.std(plain, 0)) > 0.1


def test_dreg_weights_are_squares_of_a_softmax(normal):
    weights = normal(3, 5)
    expected = special.softmax(np.asarray(weights, np.float64), axis=1) ** 2
    np.testing.assert_allclose(bounds.dreg_weights(weights), expected, rtol=1e-5)


def test_free_bits_by_hand():
    kl = jnp.asarray([[0.1, 2.0, 0.5], [0.0, 0.2, 0.3]])
    np.testing.assert_allclose(bounds.free_bits(kl, 0.5), [3.0, 1.5])
    np.testing.assert_allclose(bounds.free_bits(kl, 0.0), [2.6, 0.5])
    gradient = jax.grad(lambda kl: bounds.free_bits(kl, 0.4).sum())(kl)
    assert gradient.tolist() == [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


def test_kl_warmup_by_hand():
    steps = jnp.asarray([0.0, 1.0, 3.0, 4.0, 9.0])
    assert bounds.kl_warmup(steps, 4).tolist() == [0.0, 0.25, 0.75, 1.0, 1.0]
    assert bounds.kl_warmup(steps, 0).tolist() == [1.0] * 5


def test_two_layers_meet_the_evidence_at_the_posterior():
    """z₂ ~ N(0, 1), z₁ ~ N(0.8 z₂, 0.3), x ~ N(1.5 z₁, 0.4): all posteriors are known."""
    a, s1, b, s0, x = 0.8, 0.3, 1.5, 0.4, 0.9
    prior1 = a * a + s1  # variance of z₁
    evidence = stats.norm.logpdf(x, 0, np.sqrt(b * b * prior1 + s0))
    v1 = 1 / (1 / prior1 + b * b / s0)
    m1 = v1 * b * x / s0
    v2, slope = 1 / (1 + a * a / s1), a / s1 / (1 + a * a / s1)
    f = np.float32

    @jax.jit
    def at_draws(noise):
        z1 = f(m1) + f(np.sqrt(v1)) * noise[:, 0]
        mean2 = f(slope) * z1
        z2 = mean2 + f(np.sqrt(v2)) * noise[:, 1]
        nats = -density(f(x), f(b) * z1, f(s0))
        lower = bounds.sampled_kl(density(z1, f(m1), f(v1)), density(z1, f(a) * z2, f(s1)))
        upper = vae.gaussian_kl(mean2[:, None], jnp.full_like(z1, np.log(v2))[:, None])
        negative_elbo = bounds.hierarchical_negative_elbo(nats, lower, upper)
        priors = density(z1, f(a) * z2, f(s1)) + density(z2, f(0), f(1))
        posteriors = density(z1, f(m1), f(v1)) + density(z2, mean2, f(v2))
        return negative_elbo, bounds.log_weight(-nats, priors, posteriors)

    negative_elbo, weights = at_draws(drawn(20_000, 2))
    assert within_five_standard_errors(negative_elbo, -evidence)
    # the weight of both layers is the same at every draw: the posterior is the true one
    np.testing.assert_allclose(weights, np.full(20_000, evidence), rtol=2e-5)


def test_a_divergence_weighed_by_the_batch_learns_another_posterior():
    """By hand; and with β = B/N the variance that it is content with is β s² / (1 + β s²)."""
    nats, kl = jnp.asarray([80.0, 95.0]), jnp.asarray([20.0, 25.0])
    found = bounds.batch_weighted_negative_elbo(nats, kl, 128, 64_000)
    np.testing.assert_allclose(found, [80.04, 95.05])
    beta = 128 / 64_000
    wrong = (X / (1 + beta * S2), beta * S2 / (1 + beta * S2))

    def losses(phi):
        mean, log_variance = phi[:1, None], phi[1:, None]
        squares = jnp.square(X - phi[0]) + jnp.exp(phi[1])  # E (x − z)²
        nats = (0.5 * (np.log(2 * np.pi * S2) + squares / S2))[None]
        kl = vae.gaussian_kl(mean, log_variance)
        return jnp.stack([
            bounds.batch_weighted_negative_elbo(nats, kl, 128, 64_000)[0],
            vae.negative_elbo(nats, kl)[0],
        ])  # fmt: skip

    at = jax.jit(lambda phi: (losses(phi), jax.jacobian(losses)(phi)))
    value, slopes = at(jnp.asarray([wrong[0], np.log(wrong[1])], jnp.float32))
    np.testing.assert_allclose(slopes[0], 0.0, atol=1e-5)
    assert value[1] > -EVIDENCE + 2.0  # what it is content with is nats away
    right, slopes = at(jnp.asarray([POSTERIOR[0], np.log(POSTERIOR[1])], jnp.float32))
    np.testing.assert_allclose(slopes[1], 0.0, atol=1e-5)
    assert float(right[1]) == pytest.approx(-EVIDENCE, rel=1e-5)
