"""The Gumbel-softmax against the softmax that it draws from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import gumbel


def test_the_greatest_is_a_draw_from_the_softmax():
    """Eq. (1): of 20,000 draws the shares are those of the softmax, within five deviations."""
    logits = jnp.log(jnp.array([0.1, 0.6, 0.25, 0.05]))
    noise = jax.random.gumbel(jax.random.key(0), (20_000, 4))
    shares = gumbel.gumbel_softmax(jnp.broadcast_to(logits, noise.shape), noise, 0.7)
    np.testing.assert_allclose(shares.sum(-1), 1.0, rtol=1e-5)
    found = np.bincount(np.asarray(shares).argmax(-1), minlength=4) / len(shares)
    p = np.exp(np.asarray(logits))
    assert np.all(np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / len(shares)))


def test_a_low_temperature_is_a_draw_and_a_high_one_is_none(normal):
    """Eq. (2) by hand for two categories: a sigmoid of their difference over τ."""
    logits, noise = normal(6, 2), normal(6, 2)
    difference = np.asarray((logits + noise)[:, 0] - (logits + noise)[:, 1], np.float64)
    for temperature in (0.3, 1.0, 50.0):
        found = gumbel.gumbel_softmax(logits, noise, temperature)
        np.testing.assert_allclose(
            found[:, 0], 1 / (1 + np.exp(-difference / temperature)), rtol=1e-5
        )
    np.testing.assert_allclose(gumbel.gumbel_softmax(logits, noise, 1e4), 0.5, atol=1e-3)


def test_a_hard_draw_has_the_gradient_of_the_soft_one(normal):
    """Eq. (3)."""
    logits, noise, weights = normal(3, 5), normal(3, 5), normal(3, 5)

    def soft(logits):
        return gumbel.gumbel_softmax(logits, noise, 0.5)

    def hard(logits):
        return gumbel.straight_through_draw(soft(logits))

    np.testing.assert_allclose(hard(logits).sum(-1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(np.argmax(hard(logits), -1), np.argmax(logits + noise, -1))
    assert np.sort(np.asarray(hard(logits)), -1)[:, :-1] == pytest.approx(0, abs=1e-6)
    for_soft, for_hard = (
        jax.grad(lambda x, each=each: jnp.sum(weights * each(x)))(logits) for each in (soft, hard)
    )
    np.testing.assert_allclose(for_hard, for_soft, rtol=1e-6)


def test_the_divergence_from_uniform_by_hand():
    """Eq. (4): 0 for equal logits, log V for one certain category, and ½, ¼, ¼ between."""
    logits = jnp.log(jnp.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25], [1.0, 1e-30, 1e-30]]))
    between = 0.5 * np.log(0.5 * 3) + 0.5 * np.log(0.25 * 3)
    np.testing.assert_allclose(
        gumbel.uniform_kl(logits), [0.0, between, np.log(3)], rtol=1e-5, atol=1e-6
    )


def test_gradients(normal, gradient_holds):
    logits, noise = normal(2, 4), normal(2, 4)
    gradient_holds(lambda x: gumbel.gumbel_softmax(x, noise, 0.7), logits)
    gradient_holds(gumbel.uniform_kl, logits)
