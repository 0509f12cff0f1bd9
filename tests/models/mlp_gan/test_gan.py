"""Generator and discriminator against matrix products in NumPy float64; B 5, image 2x3x7, Z 4."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.state import num_params

SHAPE, PIXELS, Z = (2, 3, 7), 42, 4
CONFIG = MLPGANConfig(Z, (11, 13), (17, 19))


def numpy_mlp(x, params):
    """relu(x W + b) for all layers but the last."""
    layers = [params["MLP_0"][f"Dense_{i}"] for i in range(len(params["MLP_0"]))]
    for i, layer in enumerate(layers):
        x = x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)
        x = np.maximum(x, 0.0) if i + 1 < len(layers) else x
    return x


def test_generator_is_the_sigmoid_of_the_products_in_numpy(random_params):
    noise = jax.random.normal(jax.random.key(0), (5, Z))
    model, _ = CONFIG.make(SHAPE)
    params = random_params(model, noise)
    expected = special.expit(numpy_mlp(np.asarray(noise, np.float64), params))
    image = np.asarray(jax.jit(model.apply)({"params": params}, noise))
    for b in range(5):
        for pixel, index in enumerate(np.ndindex(SHAPE)):  # row by row, channels last
            np.testing.assert_allclose(image[(b, *index)], expected[b, pixel], atol=1e-5)


def test_discriminator_is_the_products_in_numpy(random_params):
    image = np.random.default_rng(0).random((5, *SHAPE), np.float32)
    _, model = CONFIG.make(SHAPE)
    params = random_params(model, jnp.asarray(image))
    rows = [[image[(b, *index)] for index in np.ndindex(SHAPE)] for b in range(5)]
    expected = numpy_mlp(np.asarray(rows, np.float64), params)[:, 0]
    found = jax.jit(model.apply)({"params": params}, image)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_dropout_is_off_unless_training_and_unbiased(random_params):
    """With one hidden layer the logit is linear in what is dropped, so its mean is unchanged."""
    image = jax.random.uniform(jax.random.key(0), (5, *SHAPE))
    _, quiet = MLPGANConfig(Z, (11,), (17,)).make(SHAPE)
    _, dropping = MLPGANConfig(Z, (11,), (17,), discriminator_dropout=0.3).make(SHAPE)
    params = random_params(quiet, image)
    expected = np.asarray(quiet.apply({"params": params}, image))
    still = np.asarray(dropping.apply({"params": params}, image))
    np.testing.assert_array_equal(still, expected)

    @jax.jit
    @jax.vmap
    def judge(keys):
        return dropping.apply({"params": params}, image, keys)

    logits = np.asarray(judge(jax.random.split(jax.random.key(1), (4000, 5))), np.float64)
    standard_error = logits.std(axis=0) / np.sqrt(4000)
    assert np.all(standard_error > 1e-3)
    assert np.all(np.abs(logits.mean(axis=0) - expected) < 5 * standard_error)


def test_parameter_counts_of_the_document():
    """Document 002, 5.2 at 28x28: G 100-256-512-784, D 784-512-256-1, with biases."""
    generator, discriminator = MLPGANConfig().make((28, 28, 1))
    key, noise, image = jax.random.key(0), jnp.zeros((1, 100)), jnp.zeros((1, 28, 28, 1))
    assert num_params(jax.eval_shape(generator.init, key, noise)) == (
        (100 + 1) * 256 + (256 + 1) * 512 + (512 + 1) * 784
    )
    assert num_params(jax.eval_shape(discriminator.init, key, image)) == (
        (784 + 1) * 512 + (512 + 1) * 256 + (256 + 1) * 1
    )
