"""Both players against loops in NumPy float64; B 5, image 4x8x3, Z 6, channels 2 and 7."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.training.state import num_params

SHAPE, Z, B = (4, 8, 3), 6, 5


def config(norm):
    return DCGANConfig(Z, (2, 7), generator_norm=norm, discriminator_norm=norm)


def spread(x, kernel):
    """A transposed convolution of stride 2 and K 4."""
    batch, height, width, _ = x.shape
    y = np.zeros((batch, 2 * height, 2 * width, kernel.shape[-1]))
    for a, b, u, v in np.ndindex(height, width, 4, 4):
        i, j = 2 * a + u - 1, 2 * b + v - 1
        if 0 <= i < 2 * height and 0 <= j < 2 * width:
            y[:, i, j] += x[:, a, b] @ kernel[u, v]
    return y


def read(x, kernel):
    """A convolution of stride 2 and K 4."""
    batch, height, width, _ = x.shape
    y = np.zeros((batch, height // 2, width // 2, kernel.shape[-1]))
    for a, b, u, v in np.ndindex(height // 2, width // 2, 4, 4):
        i, j = 2 * a + u - 1, 2 * b + v - 1
        if 0 <= i < height and 0 <= j < width:
            y[:, a, b] += x[:, i, j] @ kernel[u, v]
    return y


def after(x, own, params, norm):
    """The bias, or the norm by the batch's own statistics."""
    if norm not in params:
        return x + own["bias"]
    axes = tuple(range(x.ndim - 1))
    normal = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5)
    return normal * params[norm]["scale"] + params[norm]["bias"]


def run(module, params, x):
    variables = {"params": params}
    made = module.init(jax.random.key(0), x)
    if "batch_stats" in made:
        variables["batch_stats"] = made["batch_stats"]
    return module.apply(variables, x, mutable=["batch_stats"])[0]


def wide(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_generator_in_numpy(random_params, norm):
    generator, _ = config(norm).make(SHAPE)
    noise = jnp.asarray(np.random.default_rng(0).standard_normal((B, Z)), jnp.float32)
    params = random_params(generator, noise)
    p = wide(params)
    x = (np.asarray(noise, np.float64) @ p["in"]["kernel"]).reshape(B, 1, 2, 7)
    bias = p["in"].get("bias")
    x = after(x, {"bias": 0 if bias is None else bias.reshape(1, 2, 7)}, p, "norm0")
    x = spread(np.maximum(x, 0), p["spread1"]["kernel"])
    x = after(x, p["spread1"], p, "norm1")
    x = spread(np.maximum(x, 0), p["out"]["kernel"]) + p["out"]["bias"]
    expected = (1 + np.tanh(x)) / 2
    found = run(generator, params, noise)
    assert found.shape == (B, *SHAPE)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_discriminator_in_numpy(random_params, norm):
    _, discriminator = config(norm).make(SHAPE)
    image = jnp.asarray(np.random.default_rng(1).random((B, *SHAPE)), jnp.float32)
    params = random_params(discriminator, image)
    p = wide(params)
    x = read(2 * np.asarray(image, np.float64) - 1, p["convolution0"]["kernel"])
    x = x + p["convolution0"]["bias"]
    x = read(np.where(x > 0, x, 0.2 * x), p["convolution1"]["kernel"])
    x = after(x, p["convolution1"], p, "norm1")
    x = np.where(x > 0, x, 0.2 * x).reshape(B, -1)
    expected = (x @ p["out"]["kernel"] + p["out"]["bias"])[:, 0]
    np.testing.assert_allclose(run(discriminator, params, image), expected, rtol=1e-4, atol=1e-4)


def test_parameters_at_the_published_depths():
    """By hand for 28x28, 32x32 and 64x64, norms included (2 C each) and biases where there is none."""
    for shape, channels in (
        ((28, 28, 1), (64, 128)), ((32, 32, 3), (64, 128, 256)), ((64, 64, 3), (64, 128, 256, 512)),
    ):  # fmt: skip
        generator, discriminator = DCGANConfig(100, channels).make(shape)
        side = shape[0] // 2 ** len(channels)
        inner = sum(16 * a * b for a, b in pairwise(channels))
        head = side * side * channels[-1]
        norms = 2 * sum(channels)
        image = 16 * channels[0] * shape[-1]
        expected = 100 * head + inner + norms + image + shape[-1]
        noise, x = jnp.zeros((1, 100)), jnp.zeros((1, *shape))
        key = jax.random.key(0)
        found = jax.eval_shape(generator.init, key, noise)["params"]
        assert num_params(found) == expected
        expected = image + channels[0] + inner + norms - 2 * channels[0] + head + 1
        assert num_params(jax.eval_shape(discriminator.init, key, x)["params"]) == expected


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match="30 x 28 are no multiples of 4: give fewer, or --resize"):
        DCGANConfig().make((30, 28, 1))
    with pytest.raises(UserError, match="kernel-size is 1: give 2 or more, the stride"):
        DCGANConfig(kernel_size=1)
