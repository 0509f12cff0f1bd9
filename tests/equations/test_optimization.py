"""Orthogonalisation against NumPy's singular values, in float64, and the polynomial by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.equations import optimization
from jaxgen.equations.optimization import newton_schulz_step, orthogonalize, with_rms_of_adam

SHAPES = [(5, 7), (7, 5), (6, 6), (1, 7), (7, 1), (1, 1), (17, 64)]
step, jitted = jax.jit(newton_schulz_step), jax.jit(orthogonalize)


def polynomial(s, times=1):
    """What the source says of each singular value: 3.4445 s - 4.775 s^3 + 2.0315 s^5."""
    for _ in range(times):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    return s


def by_singular_values(matrix, function):
    U, s, Vt = np.linalg.svd(np.asarray(matrix, np.float64), full_matrices=False)
    return (U * function(s)) @ Vt


def with_singular_values(rng, m, n, values):
    """A matrix with random singular vectors."""
    U, _, Vt = np.linalg.svd(rng.standard_normal((m, n)), full_matrices=False)
    return jnp.asarray((U * values) @ Vt, jnp.float32)


def test_newton_schulz_step_by_hand():
    # p(1) = 3.4445 - 4.775 + 2.0315, p(1/2) = 1.72225 - 0.596875 + 0.063484375
    found = step(jnp.asarray([[0.0, 1.0], [0.5, 0.0]]))
    np.testing.assert_allclose(found, [[0.0, 0.701], [1.188859375, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_newton_schulz_step_maps_singular_values_and_leaves_vectors(shape, normal):
    x = normal(*shape)
    x = x / jnp.linalg.norm(x)
    np.testing.assert_allclose(step(x), by_singular_values(x, polynomial), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonalize_is_five_steps_on_the_singular_values(shape, normal):
    gradient = 30 * normal(*shape)
    expected = by_singular_values(
        gradient, lambda s: polynomial(s / math.sqrt(np.sum(s * s)), times=5)
    )
    # A rounding of 6e-8 in X_0 grows by p'(0)^5 = 485 along the smallest singular value.
    np.testing.assert_allclose(jitted(gradient), expected, atol=3e-5)


@pytest.mark.parametrize("shape", [(24, 24), (24, 96), (96, 24), (64, 64)])
def test_singular_values_of_the_result_are_near_one(shape):
    """The bounds that the module states, for singular values from 0.0016 ‖G‖_F on."""
    values = np.geomspace(1.0, 0.005, min(shape))
    values[-1] = 0.00161 * np.linalg.norm(values)
    gradient = with_singular_values(np.random.default_rng(0), *shape, values)
    found = np.linalg.svd(jitted(gradient), compute_uv=False)
    assert 0.681 < found.min() < 0.75 and 1.05 < found.max() < 1.203


def test_the_bounds_of_the_polynomial():
    s = np.linspace(0.0, 1.0, 1_000_001)
    found = polynomial(s, times=5)
    assert found.max() == pytest.approx(1.2024, abs=1e-4)
    assert found[s >= 0.0016].min() == pytest.approx(0.6818, abs=1e-4)
    assert found[s < 0.0015].max() < 0.68


def test_a_gradient_of_random_numbers_gives_an_update_with_singular_values_near_one(normal):
    """128 by 512, as a small GPT has it: its smallest singular value is a third of its greatest."""
    found = np.linalg.svd(jitted(normal(128, 512)), compute_uv=False)
    assert 0.68 < found.min() < found.max() < 1.203


def test_how_many_singular_values_of_a_random_square_matrix_stay_small(normal):
    """Marchenko & Pastur 1967: near 0 their density is 2/π over √n, and ‖G‖_F is n."""
    found = np.linalg.svd(jitted(normal(512, 512)), compute_uv=False)
    assert np.mean(found < 0.681) == pytest.approx(0.0016 * math.sqrt(512) * 2 / math.pi, rel=0.25)
    assert 0.0016 * 2 / math.pi == pytest.approx(0.001, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(-60, 60), st.integers(0, 2**31 - 1))
def test_orthogonalize_ignores_the_scale(exponent, seed):
    """Bit for bit for a power of two: the division undoes it, down to squares of 1e-36."""
    gradient = jnp.asarray(np.random.default_rng(seed).standard_normal((5, 7)), jnp.float32)
    scaled = jitted(gradient * np.float32(2.0**exponent))
    if exponent >= -38:
        np.testing.assert_array_equal(scaled, jitted(gradient))
    else:  # below the least norm it fades
        assert np.linalg.norm(scaled, 2) <= 1.203


def test_nothing_comes_of_nothing():
    assert jitted(jnp.zeros((3, 5))).tolist() == np.zeros((3, 5)).tolist()
    tiny = jitted(jnp.full((64, 64), 1e-25))  # its square underflows to zero
    assert np.all(np.isfinite(tiny)) and np.max(np.abs(tiny)) < 1e-9


def test_the_transposed_gradient_gives_the_transposed_result(normal):
    """The shorter side's Gram matrix is taken for both: the same products, bit for bit."""
    gradient = normal(5, 7)
    np.testing.assert_array_equal(jitted(gradient.T), jitted(gradient).T)


def test_orthogonalize_of_bfloat16_is_computed_in_float32(normal):
    gradient = normal(5, 7).astype(jnp.bfloat16)
    found = jitted(gradient)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, jitted(gradient.astype(jnp.float32)))


@pytest.mark.parametrize("shape", SHAPES)
def test_with_rms_of_adam_is_a_fifth_for_any_shape(shape, normal):
    U, _, Vt = np.linalg.svd(np.asarray(normal(*shape)), full_matrices=False)
    found = np.asarray(with_rms_of_adam(jnp.asarray(U @ Vt, jnp.float32)), np.float64)
    assert math.sqrt(np.mean(found**2)) == pytest.approx(0.2, rel=1e-5)


def test_the_coefficients_and_steps_are_the_source_s():
    assert optimization.COEFFICIENTS == (3.4445, -4.7750, 2.0315)
    assert optimization.ITERATIONS == 5
