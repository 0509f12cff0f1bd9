"""The MLP denoiser against matrix products in NumPy float64; B 3, X 5, D 11, F 13."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig

B, X = 3, 5
Z = jnp.asarray(np.random.default_rng(1).normal(size=(B, X)), jnp.float32)
LOG_SNR = jnp.asarray([-7.5, 0.3, 6.0])
LABEL = jnp.asarray([2, 0, 4])  # 4 is no class


def silu(x):
    return x / (1 + np.exp(-x))


def modulated(x, scale, shift):
    centred = x - x.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return normal * (1 + scale) + shift


class Layers:
    """Parameters in float64, and their products."""

    def __init__(self, params):
        self.params = params

    def __call__(self, x, *path):
        layer = self.params
        for name in path:
            layer = layer[name]
        kernel, bias = (np.asarray(layer[part], np.float64) for part in ("kernel", "bias"))
        return x @ kernel + bias


def noise_features(dense, log_snr, *path):
    periods = 2 * 50 ** (np.arange(16) / 15)
    angles = 2 * np.pi * np.asarray(log_snr, np.float64)[:, None] / periods
    waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)
    return dense(silu(dense(waves, *path, "in")), *path, "out")


@pytest.mark.parametrize(("waves", "classes", "outputs"), [(0, None, 1), (3, 4, 1), (0, 4, 7)])
def test_it_is_the_products_in_numpy(random_params, waves, classes, outputs):
    model = MLPDenoiserConfig(2, 11, 13, waves).make((X,), classes, outputs)
    label = None if classes is None else LABEL
    params = random_params(model, Z, LOG_SNR, label)
    dense = Layers(params)
    condition = noise_features(dense, LOG_SNR, "NoiseEmbedding_0")
    if classes is not None:
        table = np.asarray(params["ClassEmbedding_0"]["embedding"], np.float64)
        assert table.shape == (classes + 1, 11)
        condition = condition + table[np.asarray(LABEL)]
    condition, z = silu(condition), np.asarray(Z, np.float64)
    angles = [[[np.pi / 2 * 2**i * number for i in range(waves)] for number in row] for row in z]
    angles = np.asarray(angles).reshape(B, -1)
    h = dense(np.concatenate([z, np.sin(angles), np.cos(angles)], -1), "in")
    for i in range(2):
        scale, shift = np.split(dense(condition, f"modulation{i}"), 2, -1)
        h = h + dense(silu(dense(modulated(h, scale, shift), f"in{i}")), f"out{i}")
    scale, shift = np.split(dense(condition, "modulation"), 2, -1)
    expected = dense(modulated(h, scale, shift), "out")
    found = model.apply({"params": params}, Z, LOG_SNR, label)
    assert found.shape == ((B, X) if outputs == 1 else (B, X, outputs))
    np.testing.assert_allclose(found.reshape(B, -1), expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_layers": 0}, "--model.num-layers is 0: give 1 or more."),
        ({"waves": 13}, "--model.waves is 13: give 0 to 12."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        MLPDenoiserConfig(**values)
    assert str(error.value) == message
