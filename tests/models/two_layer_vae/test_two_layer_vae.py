"""The four networks of the VAE of two layers against matrix products in NumPy float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig
from jaxgen.training.state import num_params

CONFIG = TwoLayerVAEConfig((11, 13), 4, (7,), 3)


def numpy_mlp(x, params):
    layers = [jax.tree.map(lambda a: np.asarray(a, np.float64), layer) for layer in params.values()]
    for layer in layers[:-1]:
        x = np.maximum(x @ layer["kernel"] + layer["bias"], 0)
    return x @ layers[-1]["kernel"] + layers[-1]["bias"]


@pytest.mark.parametrize("outputs", [1, 2])
def test_up_and_down_are_the_products_in_numpy(random_params, outputs):
    model = CONFIG.make((2, 3, 1), outputs)
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.random((5, 2, 3, 1)), jnp.float32)
    lower, upper = (jnp.asarray(rng.standard_normal((5, n)), jnp.float32) for n in (4, 3))
    params = random_params(model, image)

    @jax.jit
    def networks(params):
        run = {"params": params}
        given = {"encode": image, "encode_upper": lower, "decode_upper": upper, "decode": lower}
        return {name: model.apply(run, x, method=name) for name, x in given.items()}

    found = networks(params)
    for name, network, x in (
        ("encode", "encoder", image.reshape(5, 6)),
        ("encode_upper", "upper_encoder", lower),
        ("decode_upper", "upper_decoder", upper),
    ):
        expected = numpy_mlp(np.asarray(x, np.float64), params[network])
        both = np.concatenate([found[name].mean, found[name].log_variance], axis=1)
        np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-5)
    expected = numpy_mlp(np.asarray(lower, np.float64), params["decoder"])
    np.testing.assert_allclose(found["decode"].reshape(5, -1), expected, rtol=1e-5, atol=1e-5)


def test_parameter_count_of_the_paper_s_sizes():
    """784-200-200-100-100-100-50 and back."""
    model = TwoLayerVAEConfig().make((28, 28, 1))
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]

    def mlp(*widths):
        return sum(m * n + n for m, n in itertools.pairwise(widths))

    up = mlp(784, 200, 200, 200) + mlp(100, 100, 100, 100)
    down = mlp(50, 100, 100, 200) + mlp(100, 200, 200, 784)
    assert num_params(params) == up + down


def test_scaled():
    assert CONFIG.width == 11
    assert CONFIG.scaled(width=9, depth=1) == TwoLayerVAEConfig((9,), 4, (9,), 3)
