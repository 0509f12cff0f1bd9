"""The convolutional VAE against loops over pixels in NumPy float64; B 3, image 4x8x2, K 3, F 11, Z 4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.conv_vae.config import ConvVAEConfig
from jaxgen.training.state import num_params

B, SHAPE, Z = 3, (4, 8, 2), 4
CONFIG = ConvVAEConfig((5, 7), 3, 11, Z)


def relu(x):
    return np.maximum(x, 0)


def dense(x, layer):
    return x @ layer["kernel"] + layer["bias"]


def half(image, layer):
    """Every second place; of sides that are even, a kernel of 3 reads one zero behind."""
    height, width = image.shape[1:3]
    padded = np.pad(image, [(0, 0), (0, 1), (0, 1), (0, 0)])
    found = np.zeros((len(image), height // 2, width // 2, layer["bias"].size))
    for i in range(height // 2):
        for j in range(width // 2):
            patch = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            found[:, i, j] = np.tensordot(patch, layer["kernel"], 3)
    return found + layer["bias"]


def twice(image, layer):
    """Each pixel written to the three rows and columns from twice its place on."""
    height, width = image.shape[1:3]
    found = np.zeros((len(image), 2 * height + 1, 2 * width + 1, layer["bias"].size))
    for a in range(height):
        for b in range(width):
            spread = np.einsum("bc,uvco->buvo", image[:, a, b], layer["kernel"])
            found[:, 2 * a : 2 * a + 3, 2 * b : 2 * b + 3] += spread
    return found[:, : 2 * height, : 2 * width] + layer["bias"]


@pytest.mark.parametrize("form, outputs", [("patches", 1), ("native", 3)])
def test_both_halves_are_loops_over_pixels(random_params, form, outputs):
    model = ConvVAEConfig((5, 7), 3, 11, Z, form).make(SHAPE, outputs)
    image = jax.random.uniform(jax.random.key(0), (B, *SHAPE))
    params = random_params(model, image, scale=0.3)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x = 2 * np.asarray(image, np.float64) - 1
    for layer in range(2):
        x = relu(half(x, wide[f"convolutions_{layer}"]))
    features = dense(relu(dense(x.reshape(B, -1), wide["encoder_hidden"])), wide["posterior"])
    latent = jax.random.normal(jax.random.key(1), (B, Z))
    y = relu(dense(np.asarray(latent, np.float64), wide["decoder_hidden"]))
    y = dense(y, wide["smallest"]).reshape(B, 1, 2, 7)
    for layer in range(2):
        y = twice(relu(y), wide[f"spreads_{layer}"])
    assert y.shape == (B, 4, 8, 2 * outputs)

    @jax.jit
    def both(params):
        run = {"params": params}
        return (
            model.apply(run, image, method="encode"),
            model.apply(run, latent, method="decode"),
        )

    posterior, decoded = both(params)
    np.testing.assert_allclose(posterior.mean, features[:, :Z], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(posterior.log_variance, features[:, Z:], rtol=1e-4, atol=1e-4)
    # the numbers of a pixel lie side by side, whatever the likelihood makes of them
    expected = y.reshape(B, 64) if outputs == 1 else y.reshape(B, 64, 3)
    np.testing.assert_allclose(decoded, expected, rtol=1e-4, atol=1e-4)


def test_parameter_count():
    model = ConvVAEConfig((32, 64), 4, 256, 20).make((28, 28, 1))
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]
    up = (16 * 32 + 32) + (16 * 32 * 64 + 64) + (3136 * 256 + 256) + (256 * 40 + 40)
    down = (20 * 256 + 256) + (256 * 3136 + 3136) + (16 * 64 * 32 + 32) + (16 * 32 + 1)
    assert num_params(params) == up + down


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match="7 x 8 are no multiples of 4: give fewer, or --resize"):
        CONFIG.make((7, 8, 1))


def test_scaled():
    assert CONFIG.width == 5
    assert CONFIG.scaled(width=9, depth=1) == ConvVAEConfig((9,), 3, 11, Z)
