"""The U-Net against NumPy in float64; B 2, image 4x6x3, C 4 in 2 groups, levels (1, 2), 2 heads."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.unet.config import UNetConfig
from jaxgen.models.unet.model import doubled

B, SHAPE, G, N = 2, (4, 6, 3), 2, 2
CONFIG = UNetConfig(4, (1, 2), 1, (1,), N, G)
Z = jnp.asarray(np.random.default_rng(1).normal(size=(B, 72)), jnp.float32)
LOG_SNR, LABEL = jnp.asarray([-3.0, 5.5]), jnp.asarray([1, 3])


def silu(x):
    return x / (1 + np.exp(-x))


def dense(x, layer):
    return x @ layer["kernel"] + layer["bias"]


def norm(x, layer):
    parts = x.reshape(B, -1, G, x.shape[-1] // G)
    centred = parts - parts.mean((1, 3), keepdims=True)
    normal = centred / np.sqrt((centred**2).mean((1, 3), keepdims=True) + 1e-5)
    return normal.reshape(x.shape) * layer["scale"] + layer["bias"]


def convolved(x, layer, stride=1):
    """Place by place; as much padding as gives a place for every `stride` pixels, the odd one behind."""
    kernel, (height, width) = layer["kernel"], x.shape[1:3]
    side = kernel.shape[0]
    rows, columns = -(-height // stride), -(-width // stride)
    wide = np.zeros((B, height + 4, width + 4, x.shape[-1]))
    before = [
        max((n - 1) * stride + side - size, 0) // 2
        for n, size in ((rows, height), (columns, width))
    ]
    wide[:, before[0] : before[0] + height, before[1] : before[1] + width] = x
    found = np.empty((B, rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            under = wide[:, i * stride : i * stride + side, j * stride : j * stride + side]
            found[:, i, j] = np.einsum("buvc,uvco->bo", under, kernel)
    return found + layer["bias"]


def block(x, layer, c):
    h = convolved(silu(norm(x, layer["norm1"])), layer["convolution1"])
    h = h + dense(c, layer["told"])[:, None, None]
    h = convolved(silu(norm(h, layer["norm2"])), layer["convolution2"])
    return h + (convolved(x, layer["skip"]) if "skip" in layer else x)


def attended(x, layer):
    flat, own = norm(x, layer["norm"]).reshape(B, -1, x.shape[-1]), layer["attention"]
    query, key, value = (
        np.einsum("btd,dnh->bnth", flat, own[name]["kernel"]) + own[name]["bias"]
        for name in ("query", "key", "value")
    )
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = weights / weights.sum(-1, keepdims=True) @ value
    out = np.einsum("bnth,nhd->btd", mixed, own["out"]["kernel"]) + own["out"]["bias"]
    return x + out.reshape(x.shape)


@pytest.mark.parametrize("outputs", [1, 5])
def test_it_is_numpy_s(random_params, outputs):
    model = CONFIG.make(SHAPE, 3, outputs)
    params = random_params(model, Z, LOG_SNR, LABEL, scale=0.3)
    own = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    angles = 2 * np.pi * np.asarray(LOG_SNR)[:, None] / (2 * 50 ** (np.arange(16) / 15))
    waves, noise = np.concatenate([np.sin(angles), np.cos(angles)], -1), own["NoiseEmbedding_0"]
    c = dense(silu(dense(waves, noise["in"])), noise["out"])
    c = silu(c + own["ClassEmbedding_0"]["embedding"][np.asarray(LABEL)])

    image = np.asarray(Z, np.float64).reshape(B, *SHAPE)
    first = convolved(image, own["in"])
    high = block(first, own["down0_0"], c)
    half = convolved(high, own["down0"], stride=2)
    low = attended(block(half, own["down1_0"], c), own["down1_0_attention"])
    h = block(low, own["middle_0"], c)
    h = block(attended(h, own["middle_attention"]), own["middle_1"], c)
    h = attended(block(np.concatenate([h, low], -1), own["up1_0"], c), own["up1_0_attention"])
    h = attended(block(np.concatenate([h, half], -1), own["up1_1"], c), own["up1_1_attention"])
    h = convolved(h.repeat(2, axis=1).repeat(2, axis=2), own["up1"])
    h = block(np.concatenate([h, high], -1), own["up0_0"], c)
    h = block(np.concatenate([h, first], -1), own["up0_1"], c)
    expected = convolved(silu(norm(h, own["norm"])), own["out"])
    found = model.apply({"params": params}, Z, LOG_SNR, LABEL)
    assert found.shape == ((B, 72) if outputs == 1 else (B, 72, outputs))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-3, atol=2e-3)


def test_it_begins_as_zero_and_its_blocks_as_the_identity():
    model = CONFIG.make(SHAPE, None, 1)
    params = model.init(jax.random.key(0), Z, LOG_SNR)
    assert not np.any(params["params"]["down0_0"]["convolution2"]["kernel"])
    assert not np.any(params["params"]["middle_attention"]["attention"]["out"]["kernel"])
    np.testing.assert_array_equal(model.apply(params, Z, LOG_SNR), np.zeros((B, 72)))


def test_a_pixel_becomes_a_square():
    image = jnp.arange(6.0).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(
        doubled(image)[0, :, :, 0], np.kron(np.asarray(image)[0, :, :, 0], np.ones((2, 2)))
    )


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(
        UserError, match=r"--model.channels 12 is not a multiple of --model.num-gro"
    ):
        UNetConfig(channels=12)
    with pytest.raises(UserError, match=r"levels from 0 to 1"):
        UNetConfig(multiples=(1, 2), attention_levels=(2,))
    with pytest.raises(UserError, match=r"sides are multiples of 4: give fewer levels, or other"):
        UNetConfig().make((10, 10, 1), None, 1)
    narrow = UNetConfig(num_heads=4).scaled(width=18, depth=1)
    assert (narrow.num_groups, narrow.num_heads, narrow.num_blocks) == (2, 2, 1)
