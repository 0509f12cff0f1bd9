"""The classifier against scipy's convolution in float64; B 4, image 7x10x3, V 6 classes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from jaxgen.errors import UserError
from jaxgen.models.convnet.config import ConvNetConfig
from jaxgen.training.state import num_params

B, V = 4, 6
CONFIG = ConvNetConfig(channels=(2, 5), kernel_size=3, hidden_size=11)
IMAGE = jnp.asarray(np.random.default_rng(0).random((B, 7, 10, 3)), jnp.float32)


def relu_convolution(images, layer):
    """Every second place of a convolution, from the first with its centre on a pixel, or between."""
    kernel, bias = (np.asarray(layer[name], np.float64) for name in ("kernel", "bias"))
    found = []
    for image in images:
        # an odd number of pixels needs a zero on either side, an even one a zero behind
        widths = [(size % 2, 1) for size in image.shape[:2]]
        padded = np.pad(image, [*widths, (0, 0)])
        sums = [
            sum(
                signal.correlate2d(padded[..., c], kernel[..., c, o], "valid")
                for c in range(kernel.shape[2])
            )
            for o in range(kernel.shape[3])
        ]
        found.append(np.stack(sums, axis=-1)[::2, ::2])
    return np.maximum(np.stack(found) + bias, 0)


@pytest.mark.parametrize("form", ["auto", "native", "patches"])
def test_features_and_logits_in_numpy(random_params, form):
    model = ConvNetConfig((2, 5), 3, 11, convolution=form).make(V)
    params = random_params(model, IMAGE)
    x = np.asarray(IMAGE, np.float64)
    for layer, shape in (("convolutions_0", (4, 5, 2)), ("convolutions_1", (2, 3, 5))):
        x = relu_convolution(x, params[layer])
        assert x.shape[1:] == shape
    hidden, output = (
        [np.asarray(params[layer][name], np.float64) for name in ("kernel", "bias")]
        for layer in ("hidden", "output")
    )
    features = np.maximum(np.stack([each.ravel() for each in x]) @ hidden[0] + hidden[1], 0)
    found = model.apply({"params": params}, IMAGE, method="features")
    np.testing.assert_allclose(found, features, rtol=1e-5, atol=1e-5)
    assert 0 < np.mean(features == 0) < 1  # relu has something to do, and leaves something
    logits = features @ output[0] + output[1]
    np.testing.assert_allclose(model.apply({"params": params}, IMAGE), logits, rtol=1e-5, atol=1e-5)


def test_dropout_takes_features_by_each_image_s_own_key(random_params):
    """With the identity as last layer, logits are features: 0, or divided by what is left."""
    model = ConvNetConfig((2,), 3, 200, dropout=0.3).make(200)
    params = random_params(model, IMAGE)
    params["output"] = {"kernel": jnp.eye(200), "bias": jnp.zeros(200)}
    params["hidden"]["bias"] += 100.0  # no feature is 0 by itself
    keys = jax.random.split(jax.random.key(0), B)
    features = model.apply({"params": params}, IMAGE)
    dropped = np.asarray(model.apply({"params": params}, IMAGE, keys))
    gone = dropped == 0
    np.testing.assert_allclose(dropped[~gone], np.asarray(features)[~gone] / 0.7, rtol=1e-6)
    assert abs(gone.mean() - 0.3) < 5 * math.sqrt(0.3 * 0.7 / gone.size)
    order = np.asarray([2, 0, 3, 1])
    moved = model.apply({"params": params}, IMAGE[order], keys[order])
    np.testing.assert_allclose(moved, dropped[order], rtol=1e-6)


def test_parameter_count():
    """28 x 28 pixels become 14 x 14 places, then 7 x 7."""
    model = ConvNetConfig((64, 128), 3, 256).make(10)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]
    convolutions = (9 * 64 + 64) + (9 * 64 * 128 + 128)
    assert num_params(params) == convolutions + (7 * 7 * 128 * 256 + 256) + (256 * 10 + 10)


def test_scaled():
    assert CONFIG.width == 2
    assert CONFIG.scaled(width=7).channels == (7, 7)
    assert CONFIG.scaled(depth=3).channels == (2, 2, 2)
    assert CONFIG.scaled(width=7, depth=1) == ConvNetConfig((7,), 3, 11)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": ()}, "--model.channels is (): give widths of 1 or more."),
        ({"channels": (3, 0)}, "--model.channels is (3, 0): give widths of 1 or more."),
        ({"kernel_size": 0}, "--model.kernel-size is 0: give 1 or more."),
        ({"hidden_size": -1}, "--model.hidden-size is -1: give 1 or more."),
        ({"dropout": 1.0}, "--model.dropout is 1.0: give 0 or more, below 1."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        ConvNetConfig(**values)
    assert str(error.value) == message
