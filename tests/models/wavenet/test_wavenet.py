"""WaveNet against loops in NumPy and a gradient's reach; one time after another against all at once."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.wavenet.config import WaveNetConfig

B, T, FRAMES, C, LABELS, LEVELS, OUT = 2, 12, 3, 5, 4, 7, 11
CONFIG = WaveNetConfig(
    num_layers=3, cycle=2, filter_width=3, model_size=2, hidden_size=3, skip_size=5, label_size=6
)
MODEL = CONFIG.make(LEVELS, OUT, C, LABELS)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    levels = rng.integers(0, LEVELS, (B, T))
    signal = jnp.asarray(2 * levels / (LEVELS - 1) - 1, jnp.float32)
    features = jnp.asarray(rng.standard_normal((B, FRAMES, C)), jnp.float32)
    return signal, features, jnp.asarray([3, 1])


@pytest.fixture(scope="module")
def params(random_params, inputs):
    return random_params(MODEL, *inputs)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def numpy_model(params, signal, features, label):
    """Outputs [B, T, OUT] in float64, one time, layer and tap after the other."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    signal, features = np.asarray(signal, np.float64), np.asarray(features, np.float64)
    K, H = CONFIG.filter_width, CONFIG.hidden_size
    out = np.zeros((B, T, OUT))

    def dense(name, x):
        return x @ p[name]["kernel"] + p[name]["bias"]

    def taps(x, t, kernel, dilation):
        places = [t - (K - 1 - k) * dilation for k in range(K)]
        return sum(x[place] @ kernel[k] for k, place in enumerate(places) if place >= 0)

    for b in range(B):
        rows = np.round((signal[b] + 1) * (LEVELS - 1) / 2).astype(int)
        u = signal[b][:, None] * p["value"] + p["embedding"][rows]
        x = np.stack([taps(u, t, p["first"], 1) for t in range(T)])
        gated = []
        for layer, dilation in enumerate((1, 2, 1)):
            g = slice(layer * 2 * H, (layer + 1) * 2 * H)
            told = p["label"][int(label[b])] @ p["global"][:, g] + p[f"bias_{layer}"]
            a = np.stack(
                [
                    taps(x, t, p[f"taps_{layer}"], dilation)
                    + features[b, t // (T // FRAMES)] @ p["local"][:, g]
                    + told
                    for t in range(T)
                ]
            )
            z = np.tanh(a[:, :H]) * sigmoid(a[:, H:])
            gated.append(z)
            if layer < 2:
                x = x + dense(f"residual_{layer}", z)
        hidden = np.maximum(dense("skip", np.concatenate(gated, 1)), 0)
        out[b] = dense("out", np.maximum(dense("hidden", hidden), 0))
    return out


def test_outputs_are_those_of_the_loops_in_numpy(params, inputs):
    found = jax.jit(MODEL.apply)({"params": params}, *inputs)
    np.testing.assert_allclose(found, numpy_model(params, *inputs), atol=2e-5)


@pytest.mark.parametrize(
    ("K", "layers", "cycle"), [(2, 4, 4), (3, 3, 2), (5, 1, 1), (1, 2, 2), (2, 5, 2)]
)
def test_an_output_sees_the_samples_of_the_receptive_field_and_no_later_one(
    random_params, K, layers, cycle
):
    """By gradient: zero after t and before t − R + 1, not zero within."""
    config = replace(CONFIG, filter_width=K, num_layers=layers, cycle=cycle)
    model, reach, last = config.make(None, OUT), config.receptive_field, 45
    signal = jnp.asarray(np.random.default_rng(1).standard_normal((1, 50)), jnp.float32)
    weights = random_params(model, signal)
    assert reach == 1 + (K - 1) * (1 + sum(2 ** (i % cycle) for i in range(layers)))
    gradient = jax.jit(jax.grad(lambda x: model.apply({"params": weights}, x)[0, last].sum()))
    seen = np.flatnonzero(np.asarray(gradient(signal))[0])
    assert seen.min() == last - reach + 1 and seen.max() == last


@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_one_time_after_the_other_is_all_at_once(random_params, inputs, K):
    """Any filter width, with features and labels, over more times than a queue is long: within 1e-5."""
    model = replace(CONFIG, filter_width=K).make(LEVELS, OUT, C, LABELS)
    weights = {"params": random_params(model, *inputs)}
    signal, features, label = inputs
    whole = jax.jit(model.apply)(weights, *inputs)
    conditions = model.apply(weights, features, label, method="conditions")
    queues = model.apply(weights, B, method="empty_queues")
    assert [queue.shape[1] for queue in queues] == [(K - 1) * d for d in (1, 1, 2, 1)]
    step = jax.jit(lambda *args: model.apply(weights, *args, method="step"))
    for t in range(T):
        told = [each[:, t // (T // FRAMES)] for each in conditions]
        queues, outputs = step(queues, jnp.int32(t), signal[:, t], told)
        np.testing.assert_allclose(outputs, whole[:, t], atol=1e-5)


def test_what_cannot_be_is_refused(params, inputs):
    with pytest.raises(UserError, match=r"^--model\.filter-width is 0: give 1 or more\.$"):
        WaveNetConfig(filter_width=0)
    with pytest.raises(UserError, match=r"^--model\.cycle is 21: give 1 to 20\.$"):
        WaveNetConfig(cycle=21)
    signal, features, label = inputs
    with pytest.raises(ValueError, match="3 frames do not divide 11 samples"):
        MODEL.apply({"params": params}, signal[:, :11], features, label)
