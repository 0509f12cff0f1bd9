"""DiT against NumPy in float64; B 2, image 4x6x3 in patches of 2, D 14 in 2 heads, F 17."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.dit.config import DiTConfig, dit_xl_2
from jaxgen.models.dit.model import positions

B, SHAPE, D, N, P = 2, (4, 6, 3), 14, 2, 2
CONFIG = DiTConfig(2, N, D, 17, P)
Z = jnp.asarray(np.random.default_rng(1).normal(size=(B, 72)), jnp.float32)
LOG_SNR, LABEL = jnp.asarray([-3.0, 5.5]), jnp.asarray([1, 3])


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def modulated(x, scale, shift):
    centred = x - x.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return normal * (1 + scale[:, None]) + shift[:, None]


def attention(x, params):
    heads = {
        name: np.einsum("btd,dnh->bnth", x, params[name]["kernel"]) + params[name]["bias"]
        for name in ("query", "key", "value")
    }
    scores = np.einsum("bnth,bnsh->bnts", heads["query"], heads["key"]) / math.sqrt(D // N)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mixed = np.einsum("bnts,bnsh->bnth", weights, heads["value"])
    return np.einsum("bnth,nhd->btd", mixed, params["out"]["kernel"]) + params["out"]["bias"]


@pytest.mark.parametrize("outputs", [1, 5])
def test_it_is_numpy_s(random_params, outputs):
    model = CONFIG.make(SHAPE, 3, outputs)
    params = random_params(model, Z, LOG_SNR, LABEL, scale=0.3)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def dense(x, layer):
        return x @ layer["kernel"] + layer["bias"]

    periods = 2 * 50 ** (np.arange(16) / 15)
    angles = 2 * np.pi * np.asarray(LOG_SNR)[:, None] / periods
    noise = wide["NoiseEmbedding_0"]
    waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)
    c = dense(silu(dense(waves, noise["in"])), noise["out"])
    c = silu(c + wide["ClassEmbedding_0"]["embedding"][np.asarray(LABEL)])
    image = np.asarray(Z, np.float64).reshape(B, *SHAPE)
    cut = [
        image[:, i : i + P, j : j + P].reshape(B, -1)
        for i in range(0, 4, P)
        for j in range(0, 6, P)
    ]
    x = dense(np.stack(cut, 1), wide["in"]) + np.asarray(positions(2, 3, D))
    for i in range(2):
        block = wide[f"block{i}"]
        shift1, scale1, gate1, shift2, scale2, gate2 = np.split(
            dense(c, block["modulation"]), 6, -1
        )
        x = x + gate1[:, None] * attention(modulated(x, scale1, shift1), block["attention"])
        hidden = gelu(dense(modulated(x, scale2, shift2), block["in"]))
        x = x + gate2[:, None] * dense(hidden, block["out"])
    shift, scale = np.split(dense(c, wide["modulation"]), 2, -1)
    y = dense(modulated(x, scale, shift), wide["out"]).reshape(B, 6, P, P, 3, outputs)
    expected = np.zeros((B, *SHAPE, outputs))
    for token, (i, j) in enumerate((i, j) for i in range(0, 4, P) for j in range(0, 6, P)):
        expected[:, i : i + P, j : j + P] = y[:, token]
    found = model.apply({"params": params}, Z, LOG_SNR, LABEL)
    np.testing.assert_allclose(found.reshape(B, *SHAPE, outputs), expected, rtol=1e-3, atol=2e-3)


def test_a_block_begins_as_the_identity_and_the_output_as_zero():
    model = CONFIG.make(SHAPE, None, 1)
    params = model.init(jax.random.key(0), Z, LOG_SNR)
    assert not np.any(params["params"]["block0"]["modulation"]["kernel"])
    np.testing.assert_array_equal(model.apply(params, Z, LOG_SNR), np.zeros((B, 72)))


def test_positions_tell_every_patch():
    found = np.asarray(positions(3, 4, 16))
    assert found.shape == (12, 16) and len(np.unique(found.round(5), axis=0)) == 12
    np.testing.assert_allclose(found[0], [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4)
    np.testing.assert_allclose(
        found[5, [0, 8]], [math.sin(1), math.sin(1)], rtol=1e-6
    )  # row 1, column 1


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(
        UserError, match=r"--model.model-size 10 is not a multiple of --model.num-heads"
    ):
        DiTConfig(model_size=10, num_heads=3)
    with pytest.raises(UserError, match=r"--model.patch-size 3 does not cut examples of the shape"):
        DiTConfig(patch_size=3).make((8, 8, 1), None, 1)
    assert DiTConfig(2, 4, 64, 256).scaled(width=50).num_heads == 1
    assert dit_xl_2().head_size == 72
