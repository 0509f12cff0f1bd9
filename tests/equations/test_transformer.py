import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from jaxgen.equations import transformer

B, T, D = 2, 5, 11

# Compiled whole, which takes less time than compiling each of their operations apart.
layer_norm = jax.jit(transformer.layer_norm, static_argnames="epsilon")
rms_norm = jax.jit(transformer.rms_norm, static_argnames="epsilon")
rotary = jax.jit(transformer.rotary, static_argnames="base")


def test_layer_norm_by_numpy(normal):
    x, scale, bias = 3 * normal(B, T, D) + 2, normal(D), normal(D)
    wide = np.asarray(x, np.float64)
    deviation = np.sqrt(wide.var(axis=-1, keepdims=True) + 1e-5)
    expected = (wide - wide.mean(axis=-1, keepdims=True)) / deviation * np.asarray(
        scale
    ) + np.asarray(bias)
    np.testing.assert_allclose(layer_norm(x, scale, bias), expected, atol=1e-5)


def test_layer_norm_by_hand():
    x = jnp.asarray([[1.0, 3.0]])  # mean 2, variance 1, so 1 + ε = 4 for ε = 3
    found = layer_norm(x, jnp.asarray([2.0, 4.0]), jnp.asarray([0.0, 1.0]), epsilon=3.0)
    assert found.tolist() == [[-1.0, 3.0]]


def test_layer_norm_survives_a_mean_far_from_zero(normal):
    x = normal(T, D) + 4096.0
    centred = np.asarray(x, np.float64)
    centred = (centred - centred.mean(-1, keepdims=True)) / centred.std(-1, keepdims=True)
    found = layer_norm(x, jnp.ones(D), jnp.zeros(D))
    # 2e-3: the mean itself is a float32 near 4096, whose spacing is 5e-4.
    np.testing.assert_allclose(found, centred, atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.5, 20, width=32), st.floats(-20, 20, width=32))
def test_layer_norm_ignores_scale_and_shift_of_its_input(factor, shift):
    x = jnp.asarray([[1.0, -2.0, 4.0, 0.5]])
    ones, zeros = jnp.ones(4), jnp.zeros(4)
    found = layer_norm(factor * x + shift, ones, zeros, epsilon=0.0)
    np.testing.assert_allclose(found, layer_norm(x, ones, zeros, epsilon=0.0), atol=1e-4)


def test_rms_norm_by_numpy(normal):
    x, scale = 3 * normal(B, T, D), normal(D)
    wide = np.asarray(x, np.float64)
    expected = wide / np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(rms_norm(x), expected, rtol=1e-5)
    np.testing.assert_allclose(rms_norm(x, scale), expected * np.asarray(scale), rtol=1e-5)


def test_rms_norm_by_hand():
    found = rms_norm(jnp.asarray([[3.0, 4.0, 0.0, 0.0]]), epsilon=0.0)
    np.testing.assert_allclose(found, [[1.2, 1.6, 0.0, 0.0]], rtol=1e-6)  # root mean square 2.5


def test_normalisers_of_bfloat16_keep_their_statistics_in_float32(normal):
    x = (normal(T, 1024) + 8.0).astype(jnp.bfloat16)
    wide = x.astype(jnp.float32)
    ones, zeros = jnp.ones(1024), jnp.zeros(1024)
    for narrow, right in (
        (layer_norm(x, ones, zeros), layer_norm(wide, ones, zeros)),
        (rms_norm(x), rms_norm(wide)),
    ):
        assert narrow.dtype == jnp.bfloat16
        np.testing.assert_array_equal(narrow, right.astype(jnp.bfloat16))


def test_normalisers_are_finite_for_a_constant_row_and_for_huge_ones(finite_at_extremes):
    def rows(a, b):
        return jnp.stack([a, b], axis=-1)

    finite_at_extremes(lambda a, b: layer_norm(rows(a, b), jnp.ones(2), jnp.zeros(2)), 2)
    finite_at_extremes(lambda a, b: rms_norm(rows(a, b)), 2)


def test_rotary_is_a_complex_multiplication(normal):
    x = normal(B, 3, T, 14)
    positions = jnp.asarray([0, 1, 4, 17, 100])
    wide = np.asarray(x, np.float64)
    numbers = wide[..., :7] + 1j * wide[..., 7:]
    angles = np.asarray(positions)[:, None] * 10000.0 ** (-2 * np.arange(7) / 14)
    turned = numbers * np.exp(1j * angles)
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(rotary(x, positions), expected, atol=5e-5)


def test_rotary_dot_products_see_the_distance_only(normal):
    query, key = normal(1, 6), normal(1, 6)

    def product(t, s):
        turned = rotary(query, jnp.asarray([t]), base=100.0)
        return float(jnp.sum(turned * rotary(key, jnp.asarray([s]), base=100.0)))

    assert product(9, 4) == pytest.approx(product(5, 0), abs=1e-5)
    assert product(9, 4) != pytest.approx(product(4, 9), abs=1e-2)
    assert product(3, 3) == pytest.approx(float(jnp.sum(query * key)), abs=1e-5)


def test_rotary_takes_positions_of_each_example(normal):
    x = normal(B, 3, T, 4)
    positions = jnp.asarray([[0, 1, 2, 3, 4], [7, 8, 9, 10, 11]])[:, None]
    found = rotary(x, positions)
    for b in range(B):
        alone = rotary(x[b], positions[b, 0])
        np.testing.assert_allclose(found[b], alone, atol=1e-6)
    np.testing.assert_array_equal(found[0, :, 0], x[0, :, 0])  # position 0 turns nothing


def test_rotary_of_bfloat16_turns_in_float32(normal):
    x = normal(T, 4).astype(jnp.bfloat16)
    positions = jnp.arange(T) + 1000  # bfloat16 would round the positions to multiples of 4
    found = rotary(x, positions)
    assert found.dtype == jnp.bfloat16
    wide = rotary(x.astype(jnp.float32), positions)
    np.testing.assert_array_equal(found, wide.astype(jnp.bfloat16))


def test_rotary_refuses_an_odd_head_size(normal):
    with pytest.raises(ValueError, match="head size 7 is odd"):
        rotary(normal(T, 7), jnp.arange(T))


def test_gelu_is_x_times_the_normal_distribution_function():
    x = np.linspace(-9, 9, 37)
    found = transformer.gelu(jnp.asarray(x, jnp.float32))
    # Relative, down to −9 where Φ is 1e-19: the naive form would give 0 from −6 on.
    np.testing.assert_allclose(found, x * stats.norm.cdf(x), rtol=2e-5)


def test_gelu_tanh_is_the_printed_approximation_and_close_to_the_exact():
    x = np.linspace(-9, 9, 37)
    found = transformer.gelu_tanh(jnp.asarray(x, jnp.float32))
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(found, 0.5 * x * (1 + np.tanh(inner)), atol=2e-6)
    np.testing.assert_allclose(found, x * stats.norm.cdf(x), atol=5e-4)


def test_squared_relu_by_hand():
    x = jnp.asarray([-2.0, 0.0, 0.5, 3.0])
    assert transformer.squared_relu(x).tolist() == [0.0, 0.0, 0.25, 9.0]
    gradient = jax.grad(lambda x: transformer.squared_relu(x).sum())(x)
    assert gradient.tolist() == [0.0, 0.0, 1.0, 6.0]


@pytest.mark.parametrize(
    "function", [transformer.gelu, transformer.gelu_tanh, transformer.squared_relu]
)
def test_activations_are_finite_at_extremes(function, finite_at_extremes):
    finite_at_extremes(function, 1)


def test_gelu_tanh_of_float16_is_float64_s_over_its_whole_range():
    """Value and gradient at every tenth float16: the cube of 41 is more than the greatest of them."""
    every = np.arange(0, 2**16, 10, dtype=np.uint16).view(np.float16)
    x = every[np.isfinite(every)]
    wide = x.astype(np.float64)
    # x sigmoid(v) and its derivative, sigmoid(v) + x v' sigmoid(v) sigmoid(−v)
    v = np.sqrt(8 / np.pi) * (wide + 0.044715 * wide**3)
    rate = np.sqrt(8 / np.pi) * (1 + 3 * 0.044715 * wide**2)
    value = wide * special.expit(v)
    gradient = special.expit(v) + wide * rate * special.expit(v) * special.expit(-v)
    ones = jnp.ones(x.shape, jnp.float16)
    found, pull_back = jax.vjp(transformer.gelu_tanh, jnp.asarray(x))
    (slope,) = pull_back(ones)
    assert found.dtype == slope.dtype == jnp.float16
    # Half a unit in the last of 11 bits; below 6e-5 float16 has fewer, in steps of 6e-8.
    np.testing.assert_allclose(np.asarray(found, np.float64), value, rtol=2**-11, atol=6e-8)
    np.testing.assert_allclose(np.asarray(slope, np.float64), gradient, rtol=2**-11, atol=6e-8)


def test_gradient_of_gelu_tanh(gradient_holds, normal):
    gradient_holds(transformer.gelu_tanh, normal(7))
