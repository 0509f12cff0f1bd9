"""Group norm in NumPy, and its two ends: all channels together, and each for itself."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.group_norm import EPSILON, group_norm


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_in_numpy(normal, groups):
    x, scale, bias = normal(4, 5, 6), normal(6), normal(6)
    expected = np.empty(x.shape)
    size = 6 // groups
    for image, found in zip(np.asarray(x, np.float64), expected, strict=True):
        for first in range(0, 6, size):
            own = image[..., first : first + size]
            found[..., first : first + size] = (own - own.mean()) / np.sqrt(own.var() + EPSILON)
    expected = expected * np.asarray(scale) + np.asarray(bias)
    np.testing.assert_allclose(group_norm(x, scale, bias, groups), expected, rtol=1e-4, atol=1e-5)


def test_no_image_depends_on_another(normal):
    x, ones, zeros = normal(3, 5, 4), jnp.ones(4), jnp.zeros(4)
    whole = group_norm(x, ones, zeros, 2)
    np.testing.assert_array_equal(whole[1:2], group_norm(x[1:2], ones, zeros, 2))


def test_a_large_mean_does_not_cancel(normal):
    x = normal(1, 50, 4)
    found = group_norm(x + 4096.0, jnp.ones(4), jnp.zeros(4), 2)
    np.testing.assert_allclose(found, group_norm(x, jnp.ones(4), jnp.zeros(4), 2), atol=2e-3)


def test_channels_that_cannot_be_divided():
    with pytest.raises(ValueError, match="7 channels cannot be divided into 2 groups"):
        group_norm(jnp.zeros((1, 2, 7)), jnp.ones(7), jnp.zeros(7), 2)
