"""Penalties, norms, noise and packs against NumPy, closed forms and critics whose slope is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import gan_penalties as penalties

B, X = 7, 5


def test_between_is_the_line_s_point(normal):
    real, fake = normal(B, X), normal(B, X)
    share = jnp.linspace(0.0, 1.0, B)
    expected = [
        s * np.asarray(r) + (1 - s) * np.asarray(f)
        for s, r, f in zip(share, real, fake, strict=True)
    ]
    np.testing.assert_allclose(penalties.between(real, fake, share), expected, rtol=1e-5, atol=1e-6)


def test_gradient_penalty_of_a_linear_critic_is_its_slope_less_one(normal):
    """D(x) = w x: ‖∇D‖ = ‖w‖ everywhere."""
    w, x = normal(X), normal(B, X)
    slopes = jax.grad(lambda x: jnp.sum(x @ w))(x)
    expected = (np.linalg.norm(np.asarray(w, np.float64)) - 1) ** 2
    np.testing.assert_allclose(penalties.gradient_penalty(slopes), np.full(B, expected), rtol=1e-5)
    unit = w / jnp.linalg.norm(w)
    np.testing.assert_allclose(
        penalties.gradient_penalty(jnp.tile(unit, (B, 1))), np.zeros(B), atol=1e-10
    )


def test_penalties_of_no_slope_have_a_gradient(gradient_holds, normal):
    zero = jnp.zeros((B, X))
    for function, value in (
        (penalties.gradient_penalty, 1.0),
        (penalties.zero_centred_penalty, 0.0),
    ):
        found, gradient = jax.value_and_grad(lambda x, f=function: f(x).sum())(zero)
        assert found == pytest.approx(B * value, abs=1e-4)
        np.testing.assert_array_equal(gradient, 0.0)
        gradient_holds(function, normal(B, X))


def test_zero_centred_penalty_of_a_quadratic_critic(normal):
    """D(x) = ½ x²: ∇D = x, and the penalty is half the squared length."""
    x = normal(B, X)
    slopes = jax.grad(lambda x: 0.5 * jnp.sum(jnp.square(x)))(x)
    expected = 0.5 * np.sum(np.asarray(x, np.float64) ** 2, axis=1)
    np.testing.assert_allclose(penalties.zero_centred_penalty(slopes), expected, rtol=1e-5)


def test_a_penalty_is_what_noise_does_to_the_loss_on_average():
    """Roth et al.: E softplus(−D(x + s ε)) − softplus(−D(x)) = ½ s² σ'(D) ‖∇D‖² for a linear D.

    At D(x) = 0, where σ' is ¼, by Monte Carlo: so much larger is the loss of either side.
    """
    w, s = np.array([0.6, -0.8]), 0.2
    draws = s * np.random.default_rng(0).standard_normal((2_000_000, 2)) @ w
    loss = np.logaddexp(0.0, -draws) - np.log(2) + 0.5 * draws  # the odd part has mean 0
    standard_error = loss.std() / np.sqrt(len(loss))
    penalty = float(penalties.zero_centred_penalty(jnp.asarray(w, jnp.float32)))
    assert abs(loss.mean() - 0.25 * s**2 * penalty) < 5 * standard_error + s**4


def test_power_iteration_finds_the_largest_singular_value(normal):
    kernel, right = normal(B, X), normal(X)
    left = jnp.zeros(B)
    for _ in range(60):
        left, right = penalties.power_iteration(kernel, right)
    U, values, _ = np.linalg.svd(np.asarray(kernel, np.float64))
    normal_kernel = penalties.spectrally_normalised(kernel, left, right)
    assert np.linalg.norm(normal_kernel, 2) == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(normal_kernel, np.asarray(kernel) / values[0], rtol=1e-4)
    assert abs(float(left @ U[:, 0])) == pytest.approx(1.0, abs=1e-4)
    # W / σ does not change when W is scaled: its gradient has no part along W.
    weight = normal(B, X)

    def weighed(kernel):
        return jnp.sum(weight * penalties.spectrally_normalised(kernel, left, right))

    gradient = jax.grad(weighed)(kernel)
    assert abs(float(jnp.sum(gradient * kernel))) < 1e-4 < float(jnp.abs(gradient).max())


def test_power_iteration_never_overestimates(normal):
    kernel, right = normal(B, X), normal(X)
    largest = np.linalg.norm(np.asarray(kernel, np.float64), 2)
    found = []
    for _ in range(5):
        left, right = penalties.power_iteration(kernel, right)
        found.append(
            float(kernel[0, 0] / penalties.spectrally_normalised(kernel, left, right)[0, 0])
        )
    assert found == sorted(found) and found[-1] <= largest * (1 + 1e-6)


def test_noise_falls_by_equal_factors_and_ends():
    done = jnp.asarray([0.0, 0.25, 0.5, 0.75, 0.999999, 1.0, 7.0])
    found = [float(penalties.noise_deviation(each, 1.0, 0.0001)) for each in done]
    assert found == pytest.approx([1.0, 0.1, 0.01, 0.001, 1e-4, 0.0, 0.0], rel=1e-4)


def test_packs_are_neighbours_side_by_side():
    points = jnp.arange(12.0).reshape(6, 2)
    assert penalties.packed(points, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    images = np.random.default_rng(0).random((4, 2, 3, 1), np.float32)
    found = penalties.packed(jnp.asarray(images), 2)
    np.testing.assert_array_equal(found[1, ..., 0], images[2, ..., 0])
    np.testing.assert_array_equal(found[1, ..., 1], images[3, ..., 0])
    with pytest.raises(ValueError, match="packs of 4"):
        penalties.packed(points, 4)
