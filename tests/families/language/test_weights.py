"""Token weights: Σ w nats / Σ w over the whole step, however the batch is cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import language
from jaxgen.families.language.objective import make_language_loss
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.models.gpt.model import GPT
from jaxgen.training.gradient import gradient
from jaxgen.training.metrics import to_floats

B, T, V = 6, 5, 11
RNG = np.random.default_rng(0)
MODEL = GPT(modern_gpt(num_layers=1, num_heads=3, model_size=12, hidden_size=13, max_seq_len=7), V)
APPLY = jax.jit(MODEL.apply)
BATCH = {name: jnp.asarray(RNG.integers(0, V, (B, T)), jnp.int32) for name in ("tokens", "targets")}
WEIGHTS = RNG.random((B, T)) * (RNG.random((B, T)) < 0.5)
WEIGHTS[[0, 3]] = 0.0  # of three pieces, taken 0 3, 1 4, 2 5, the first is all padding
BATCH |= {"weights": jnp.asarray(WEIGHTS, jnp.float32)}
KEYS = jax.random.split(jax.random.key(0), B)


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, BATCH["tokens"])


def by_hand(params):
    """Every token's nats in a loop, in float64."""
    logits = np.asarray(APPLY({"params": params}, BATCH["tokens"]), np.float64)
    total = weight = 0.0
    for b, t in np.ndindex(B, T):
        p = np.exp(logits[b, t])
        total -= WEIGHTS[b, t] * np.log(p[BATCH["targets"][b, t]] / p.sum())
        weight += WEIGHTS[b, t]
    return total / weight, weight


def test_the_loss_is_the_weighted_mean_by_hand(params):
    expected, weight = by_hand(params)
    value, aux = jax.jit(make_language_loss(MODEL))(params, None, BATCH, KEYS)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert to_floats(aux.metrics)["loss"] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(aux.weight, weight, rtol=1e-6)
    ones = jnp.ones((B, T))
    logits = APPLY({"params": params}, BATCH["tokens"])
    plain = language.cross_entropy(logits, BATCH["targets"]).mean()
    found = language.weighted_cross_entropy(logits, BATCH["targets"], ones)
    np.testing.assert_allclose(found, plain, rtol=1e-6)
    assert language.weighted_cross_entropy(logits, BATCH["targets"], 0 * ones) == 0


@pytest.mark.parametrize("extra", [None, {"left": jnp.ones(3)}])
def test_dividing_the_batch_changes_nothing(params, extra):
    """In three pieces, one by one or (with an extra) side by side; over two devices; and both."""
    loss = make_language_loss(MODEL)
    whole, aux = jax.jit(lambda p: gradient(loss, p, extra, BATCH, KEYS))(params)
    expected = to_floats(aux.metrics)["loss"]

    def cut(params):
        def piece(batch, keys):
            return gradient(loss, params, extra, batch, keys, accumulate=3, axis="batch")

        halves = jax.tree.map(lambda x: jnp.stack([x, x[::-1]]), (BATCH, KEYS))
        return jax.vmap(piece, axis_name="batch")(*halves)

    for grads, found in (
        jax.jit(lambda p: gradient(loss, p, extra, BATCH, KEYS, accumulate=3))(params),
        jax.tree.map(lambda x: x[0], jax.jit(cut)(params)),
    ):
        assert to_floats(found.metrics)["loss"] == pytest.approx(expected, rel=1e-5)
        for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
