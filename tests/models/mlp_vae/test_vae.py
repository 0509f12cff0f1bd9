"""The VAE's halves against matrix products in NumPy float64; B 5, image 2x3x7, hidden (11, 13), Z 4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.state import num_params

SHAPE, PIXELS, Z = (2, 3, 7), 42, 4


def numpy_mlp(x, params):
    """relu(x W + b) for all layers but the last."""
    layers = [params[f"Dense_{i}"] for i in range(len(params))]
    for i, layer in enumerate(layers):
        x = x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)
        x = np.maximum(x, 0.0) if i + 1 < len(layers) else x
    return x


@pytest.mark.parametrize("hidden, outputs", [((11, 13), 1), ((11, 13), 2), ((), 1)])
def test_encode_and_decode_are_the_products_in_numpy(random_params, hidden, outputs):
    """Without hidden layers both halves are linear."""
    model = MLPVAEConfig(hidden, Z).make(SHAPE, outputs)
    image = jax.random.uniform(jax.random.key(0), (5, *SHAPE))
    latent = jax.random.normal(jax.random.key(1), (5, Z))
    params = random_params(model, image)

    found = model.apply({"params": params}, image, method="encode")
    flat = np.asarray([pixel for row in image for pixel in np.ravel(row)], np.float64)
    expected = numpy_mlp(flat.reshape(5, PIXELS), params["encoder"])
    np.testing.assert_allclose(found.mean, expected[:, :Z], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.log_variance, expected[:, Z:], rtol=1e-5, atol=1e-5)

    found = model.apply({"params": params}, latent, method="decode")
    expected = numpy_mlp(np.asarray(latent, np.float64), params["decoder"])
    if outputs == 2:
        assert expected.shape == (5, 2 * PIXELS)
        expected = expected.reshape(5, PIXELS, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_parameter_count():
    """The decoder's widths are the encoder's in reverse."""
    model, outputs = MLPVAEConfig((400, 300), 20).make((28, 28, 1), 2), 1568
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]
    encoder = (784 * 400 + 400) + (400 * 300 + 300) + (300 * 40 + 40)
    decoder = (20 * 300 + 300) + (300 * 400 + 400) + (400 * outputs + outputs)
    assert num_params(params["encoder"]) == encoder
    assert num_params(params["decoder"]) == decoder
