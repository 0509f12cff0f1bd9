"""The layer's parameters and what it makes of them; B 2, image 5x7x3, kernel 2x3, 4 features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.layers.convolution import Convolution

IMAGE = jnp.asarray(np.random.default_rng(1).standard_normal((2, 5, 7, 3)), jnp.float32)


@pytest.mark.parametrize("form", ["auto", "native", "patches", "literal"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_products_of_windows_and_a_bias(random_params, form, use_bias):
    layer = Convolution(4, (2, 3), stride=2, padding="valid", use_bias=use_bias, form=form)
    params = random_params(layer, IMAGE)
    assert set(params) == ({"kernel", "bias"} if use_bias else {"kernel"})
    kernel = np.asarray(params["kernel"], np.float64)
    expected = np.zeros((2, 2, 3, 4))
    for i, j in np.ndindex(2, 3):
        window = np.asarray(IMAGE, np.float64)[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3]
        expected[:, i, j] = np.tensordot(window, kernel, 3)
    if use_bias:
        expected += np.asarray(params["bias"], np.float64)
    found = layer.apply({"params": params}, IMAGE)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["native", "patches"])
def test_parameters_are_float32_and_results_have_the_image_s_dtype(random_params, form):
    layer = Convolution(4, form=form)
    params = random_params(layer, IMAGE)
    narrow = layer.apply({"params": params}, IMAGE.astype(jnp.bfloat16))
    assert params["kernel"].dtype == jnp.float32 and narrow.dtype == jnp.bfloat16
    wide = np.asarray(layer.apply({"params": params}, IMAGE))
    # bfloat16 keeps 8 bits: each of 28 terms of size about 0.5 is off by up to 2^-8 of itself
    np.testing.assert_allclose(narrow.astype(jnp.float32), wide, atol=0.05)


def test_a_result_s_variance_is_twice_the_image_s_before_relu_halves_it():
    """He et al. 2015: of n draws of a Gaussian the variance is known to sqrt(2 / n), five times over."""
    kernel = Convolution(512, (3, 3)).init(jax.random.key(0), IMAGE)["params"]["kernel"]
    assert kernel.shape == (3, 3, 3, 512)
    expected, n = 2 / (3 * 3 * 3), kernel.size
    assert abs(np.var(kernel) / expected - 1) < 5 * np.sqrt(2 / n)
