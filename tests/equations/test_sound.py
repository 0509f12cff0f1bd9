"""Sound's equations against NumPy written out, sums over all levels, and values worked by hand."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import sound

B, T, D, F = 2, 11, 3, 5


def test_companding_by_hand_and_back():
    """f(1/255) = ln 2 / ln 256 = 1/8; the slope at 0 is 255 / ln 256, on both sides of it too."""
    x = jnp.asarray([0.0, 1 / 255, -3 / 255, 1.0, -1.0], jnp.float32)
    np.testing.assert_allclose(sound.compand(x), [0, 1 / 8, -2 / 8, 1, -1], atol=1e-6)
    slope = jax.grad(lambda x: sound.compand(x))
    assert float(slope(jnp.float32(0.0))) == pytest.approx(255 / np.log(256), rel=1e-5)
    wide = np.linspace(-1, 1, 2001).astype(np.float32)
    np.testing.assert_allclose(sound.expand(sound.compand(jnp.asarray(wide))), wide, atol=2e-6)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_levels_are_equidistant_and_nearest(levels):
    grid = np.linspace(-1, 1, levels)
    every = jnp.arange(levels)
    np.testing.assert_allclose(sound.from_levels(every, levels), grid, atol=1e-6)
    assert sound.to_levels(sound.from_levels(every, levels), levels).tolist() == every.tolist()
    x = np.random.default_rng(levels).uniform(-1.2, 1.2, 50)
    nearest = np.abs(x[:, None] - grid[None]).argmin(1)
    found = np.asarray(sound.to_levels(jnp.asarray(x, jnp.float32), levels))
    off = np.abs(x - grid[found]) - np.abs(x - grid[nearest])
    assert off.max() < 1e-6  # the same, but where two are as near


@pytest.mark.parametrize(("K", "dilation"), [(2, 1), (2, 4), (3, 2), (5, 1), (1, 3), (3, 16)])
def test_the_convolution_is_its_sum_number_by_number(normal, K, dilation):
    x, kernel = normal(B, T, D), normal(K, D, F)
    expected = np.zeros((B, T, F))
    for b, t, k in np.ndindex(B, T, K):
        past = t - (K - 1 - k) * dilation
        if past >= 0:
            expected[b, t] += np.asarray(x[b, past], np.float64) @ np.asarray(kernel[k], np.float64)
    found = sound.causal_convolution(x, kernel, dilation)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if (K - 1) * dilation < T:
        kept = [x[:, T - 1 - (K - 1 - k) * dilation] for k in range(K)]
        np.testing.assert_allclose(sound.causal_step(kept, kernel), expected[:, -1], atol=1e-5)


@pytest.mark.parametrize(("K", "dilations"), [(2, (1, 2, 4)), (3, (1, 3)), (1, (1, 2)), (4, ())])
def test_the_receptive_field_is_what_a_change_can_reach(K, dilations):
    """A wave of ones through kernels of ones: the sample R − 1 back still counts, the one before not."""
    reach = sound.receptive_field(K, dilations)
    length = reach + 3

    def last(x):
        for dilation in dilations:
            x = sound.causal_convolution(x, jnp.ones((K, 1, 1)), dilation)
        return x[0, -1, 0]

    gradient = np.asarray(jax.grad(last)(jnp.ones((1, length, 1))))[0, :, 0]
    assert np.flatnonzero(gradient)[0] == length - reach


def test_the_gate_by_hand():
    a = jnp.asarray([[0.5, -2.0, 0.0, np.log(3.0)]], jnp.float32)
    np.testing.assert_allclose(
        sound.gated_unit(a), [[np.tanh(0.5) / 2, np.tanh(-2.0) * 0.75]], rtol=1e-6
    )


LEVELS, M = 17, 3


def test_a_mixture_s_levels_sum_to_one_and_are_differences_of_sigmoids(normal):
    parameters = np.asarray(normal(3 * M), np.float64)
    grid = np.linspace(-1, 1, LEVELS)
    nats = sound.logistic_mixture_nats(
        jnp.broadcast_to(jnp.asarray(parameters, jnp.float32), (LEVELS, 3 * M)),
        jnp.asarray(grid, jnp.float32), LEVELS,
    )  # fmt: skip
    logits, mean, log_scale = np.split(parameters, 3)
    weights = np.exp(logits) / np.exp(logits).sum()
    half = 1 / (LEVELS - 1)

    def below(x):
        return weights @ (1 / (1 + np.exp(-(x - mean) / np.exp(log_scale))))

    ends = [-np.inf, *(grid[:-1] + half), np.inf]
    expected = [below(up) - below(low) for low, up in pairwise(ends)]
    np.testing.assert_allclose(np.exp(-np.asarray(nats)), expected, rtol=2e-5)
    assert sum(expected) == pytest.approx(1)


def test_a_mixture_is_right_far_out_where_the_difference_is_zero_in_float32():
    """Of one logistic of scale 0.01, 0.9 from its mean: −log p = 90 − log(2 sinh(δ/s)) to rounding."""
    parameters = jnp.asarray([[0.0, 0.0, np.log(0.01)]], jnp.float32)
    half = 1 / 255
    x = sound.from_levels(sound.to_levels(jnp.asarray([0.9]), 256), 256)
    found = float(sound.logistic_mixture_nats(parameters, x, 256)[0])
    assert found == pytest.approx(float(x[0]) / 0.01 - np.log(2 * np.sinh(half / 0.01)), rel=1e-5)
    gradient = jax.grad(lambda p: sound.logistic_mixture_nats(p, x, 256)[0])(parameters)
    assert np.isfinite(gradient).all() and float(jnp.abs(gradient).max()) > 1


def test_draws_of_a_mixture_are_as_often_as_it_says(normal):
    """Chi-squared over 9 levels of 20,000 draws: below its 99.99 % point for 8 degrees, 31.8."""
    parameters, levels = 0.5 * normal(3 * 2), 9
    keys = jax.random.split(jax.random.key(1), 20_000)
    draw = jax.jit(jax.vmap(lambda key: sound.sample_logistic_mixture(key, parameters, levels)))
    counts = np.bincount(np.asarray(sound.to_levels(draw(keys), levels)), minlength=levels)
    grid = sound.from_levels(jnp.arange(levels), levels)
    rows = jnp.broadcast_to(parameters[None], (levels, 6))
    wanted = 20_000 * np.exp(-np.asarray(sound.logistic_mixture_nats(rows, grid, levels)))
    assert ((counts - wanted) ** 2 / wanted).sum() < 31.8


def test_a_temperature_narrows_weights_and_scales():
    parameters = jnp.asarray([1.0, 2.0, 0.1, 0.2, -1.0, -2.0])
    found = np.asarray(sound.tempered_mixture(parameters, 0.5))
    np.testing.assert_allclose(found[:4], [2.0, 4.0, 0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found[4:]), np.exp([-1.0, -2.0]) / 2, rtol=1e-6)


def test_gradients(gradient_holds, normal):
    gradient_holds(sound.compand, np.array([-0.5, 0.2, 0.9]))
    gradient_holds(sound.expand, np.array([-0.5, 0.2, 0.9]))
    gradient_holds(sound.gated_unit, normal(2, 6))
    gradient_holds(lambda x, k: sound.causal_convolution(x, k, 2), normal(1, 5, 2), normal(3, 2, 3))
    x = np.array([-1.0, 0.25])
    gradient_holds(lambda p: sound.logistic_mixture_nats(p, jnp.asarray(x), 17), normal(2, 6))
