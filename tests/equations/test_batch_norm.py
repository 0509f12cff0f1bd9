"""Normalisation over the batch in NumPy, and its running average by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.batch_norm import EPSILON, batch_norm, running


def test_in_numpy(normal):
    x, scale, bias = normal(5, 3, 2, 7), normal(7), normal(7)
    wide = np.asarray(x, np.float64)
    mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    expected = (wide - mean) / np.sqrt(variance + EPSILON) * np.asarray(scale) + np.asarray(bias)
    found = batch_norm(
        x, jnp.asarray(mean, jnp.float32), jnp.asarray(variance, jnp.float32), scale, bias
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_running_average_by_hand():
    kept = jnp.zeros(1)
    for found in (1.0, 1.0, 5.0):
        kept = running(kept, jnp.full(1, found), 0.5)
    assert kept.tolist() == pytest.approx([0.5 * (0.5 * 0.5 + 0.5) + 2.5])
