"""Batch norm as a layer: training and at rest, whole and in pieces; B 6, image 2x3, 5 channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.layers.norm import BatchNorm
from jaxgen.training.batch import PIECES

X = np.random.default_rng(0).standard_normal((6, 2, 3, 5)).astype(np.float32) * 3 + 1


@pytest.fixture(scope="module")
def variables():
    made = BatchNorm().init(jax.random.key(0), jnp.asarray(X))
    np.testing.assert_array_equal(made["batch_stats"]["mean"], 0.0)
    np.testing.assert_array_equal(made["batch_stats"]["variance"], 1.0)
    return made


def test_training_takes_the_batch_s_own_and_keeps_a_tenth(variables):
    found, changed = BatchNorm().apply(variables, jnp.asarray(X), mutable=["batch_stats"])
    wide = X.astype(np.float64)
    mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    scale = np.asarray(variables["params"]["scale"], np.float64)
    expected = (wide - mean) / np.sqrt(variance + 1e-5) * scale
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["variance"], 0.9 + 0.1 * variance, rtol=1e-5)


def test_at_rest_it_takes_what_was_kept(variables):
    kept = {"mean": jnp.full(5, 1.0), "variance": jnp.full(5, 9.0)}
    found = BatchNorm().apply({**variables, "batch_stats": kept}, jnp.asarray(X))
    scale = np.asarray(variables["params"]["scale"])
    np.testing.assert_allclose(found, (X - 1) / np.sqrt(9 + 1e-5) * scale, rtol=1e-4, atol=1e-5)


def test_in_pieces_it_is_the_whole_batch_s(variables):
    """Outputs, statistics and gradients of three pieces side by side, as of one."""
    weight = jnp.asarray(np.random.default_rng(1).standard_normal(X.shape), jnp.float32)

    def loss(x, weight):
        y, changed = BatchNorm().apply(variables, x, mutable=["batch_stats"])
        return jnp.sum(weight * y), (y, changed["batch_stats"])

    def pieces(x):
        return x.reshape(3, 2, *x.shape[1:])

    whole = jax.value_and_grad(loss, has_aux=True)(jnp.asarray(X), weight)
    cut = jax.vmap(jax.value_and_grad(loss, has_aux=True), axis_name=PIECES)(
        pieces(jnp.asarray(X)), pieces(weight)
    )
    (value, (y, kept)), gradient = whole
    (values, (parts, kept_each)), gradients = cut
    assert float(values.sum()) == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(parts.reshape(X.shape), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradients.reshape(X.shape), gradient, rtol=1e-4, atol=1e-5)
    for name, each in kept_each.items():
        for piece in each:
            np.testing.assert_allclose(piece, kept[name], rtol=1e-6)
