"""Both halves against the equations of their layers, applied one by one in NumPy's order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import convolution, transposed_convolution
from jaxgen.errors import UserError
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig

CONFIG = GridAutoencoderConfig((2, 3), 1, 4, num_codes=7, code_size=5)
SHAPE, B, OUTPUTS = (8, 12, 2), 3, 11


def relu(x):
    return np.maximum(np.asarray(x), 0)


def convolve(x, own, stride=1):
    return convolution.literal(jnp.asarray(x), own["kernel"], stride) + own["bias"].reshape(
        1, 1, 1, -1
    )


def block(x, own):
    return x + convolve(relu(convolve(relu(x), own["near"])), own["out"])


def test_both_halves_layer_by_layer(random_params):
    normal = np.random.default_rng(0)
    model = CONFIG.make(SHAPE, OUTPUTS)
    image = jnp.asarray(normal.standard_normal((B, *SHAPE)), jnp.float32)
    params = random_params(model, image)
    own = params["encoder"]
    x = relu(convolve(image, own["convolution0"], 2))
    x = block(convolve(x, own["convolution1"], 2), own["block0"])
    assert x.shape == (B, 2, 3, 3)
    expected = convolve(relu(x), own["out"])
    found = model.apply({"params": params}, image, method="encode")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

    codes = jnp.asarray(normal.standard_normal((B, 2, 3, 5)), jnp.float32)
    own = params["decoder"]
    x = block(convolve(codes, own["in"]), own["block0"])
    for layer, size in ((0, 2), (1, 2)):
        spread = own[f"spread{layer}"]
        x = transposed_convolution.literal(jnp.asarray(relu(x)), spread["kernel"], 2)
        x = x + spread["bias"].reshape(1, 1, 1, -1)
        assert x.shape[-1] == size
    found = model.apply({"params": params}, codes, method="decode")
    assert found.shape == (B, *SHAPE)
    np.testing.assert_allclose(found, x, rtol=1e-4, atol=1e-4)
    whole = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    assert jax.tree.structure(whole) == jax.tree.structure(params)


def test_scaled_keeps_the_grid():
    small = CONFIG.scaled(width=7, depth=2)
    assert (small.channels, small.num_blocks, small.width) == ((7, 7), 2, 7)
    assert small.grid(SHAPE) == CONFIG.grid(SHAPE) == (2, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": ()}, "--model.channels is (): give widths of 1 or more."),
        ({"num_codes": 1}, "--model.num-codes is 1: give 2 to 65536."),
        ({"code_size": 0}, "--model.code-size is 0: give 1 or more."),
        ({"kernel_size": 1}, "--model.kernel-size is 1: give 2 or more, the stride."),
        ({"num_blocks": -1}, "--model.num-blocks is -1: give 0 or more."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        GridAutoencoderConfig(**values)
    assert str(error.value) == message


def test_an_image_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match="10 x 12 are no multiples of 4: give fewer"):
        CONFIG.make((10, 12, 1), 3)
