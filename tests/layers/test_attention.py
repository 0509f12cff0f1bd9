"""Self-attention against loops in NumPy float64: every way to say which keys a query sees.

Sizes differ, so that a swapped axis fails: B 2, T 5, N 3, H 4, D 7.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.attention_forms import FORMS
from jaxgen.layers.attention import SelfAttention

B, T, N, H, D = 2, 5, 3, 4, 7
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((B, T, D)), jnp.float32)
OWN = RNG.random((B, 1, T, T)) < 0.6  # of each example
OWN[0, 0, 3] = False  # a query that sees nothing by its mask
OWN[1, 0, 2] = [False, False, False, True, True]  # and one that sees nothing but the future
MASKS = {"none": None, "of each": OWN, "of all": OWN[:1], "everything": np.ones((1, 1, T, T), bool)}
NORMAL = nn.initializers.normal(1.0)


def layer(**options):
    return SelfAttention(N, H, NORMAL, NORMAL, **options)


def loops(x, params, sees):
    """Every example, head and query alone, over the keys s with sees[b, t, s]."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    out = np.zeros((B, T, D)) + params["out"]["bias"]
    for b in range(B):
        for n in range(N):
            q, k, v = (
                np.asarray(x[b], np.float64) @ params[name]["kernel"][:, n]
                + params[name]["bias"][n]
                for name in ("query", "key", "value")
            )
            for t in range(T):
                keys = [s for s in range(T) if sees[b, t, s]]
                e = [np.exp(q[t] @ k[s] / 2) for s in keys]  # sqrt(H) = 2
                mixed = sum((w * v[s] for w, s in zip(e, keys, strict=True)), np.zeros(H))
                out[b, t] += (mixed / sum(e) if keys else mixed) @ params["out"]["kernel"][n]
    return out


@pytest.mark.parametrize("form", ["auto", *FORMS])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_a_query_sees_what_mask_and_causal_both_let_it(random_params, mask, causal, form):
    """No mask is everything; causal alone and in a mask of the same rule are one; both are an and."""
    mask = MASKS[mask]
    sees = np.broadcast_to(True if mask is None else mask[:, 0], (B, T, T))
    if causal:
        sees = sees & (np.arange(T) <= np.arange(T)[:, None])
    model = layer(form=form)
    params = random_params(model, X)
    given = mask if mask is None else jnp.asarray(mask)
    found = jax.jit(lambda p, x: model.apply({"params": p}, x, given, causal=causal))(params, X)
    np.testing.assert_allclose(found, loops(X, params, sees), rtol=1e-5, atol=1e-5)


def test_the_causal_flag_is_the_mask_of_that_rule(random_params):
    params = random_params(layer(), X)
    rule = jnp.asarray(np.tri(T, dtype=bool))[None, None]
    flag, mask = (
        layer().apply({"params": params}, X, *given, causal=causal)
        for given, causal in [((), True), ((rule,), False)]
    )
    np.testing.assert_array_equal(flag, mask)


def test_a_token_without_keys_is_the_bias_alone(random_params):
    """The example's first query sees itself only, and by its mask not even that."""
    params = random_params(layer(), X)
    nothing = jnp.zeros((1, 1, T, T), bool)
    found = layer().apply({"params": params}, X, nothing, causal=True)
    np.testing.assert_array_equal(found, np.broadcast_to(params["out"]["bias"], (B, T, D)))


# Dropout of the weights.

P = 0.3


def dropped(form="auto", rate=P):
    return layer(form=form, dropout=rate)


def test_without_keys_or_rate_no_weight_is_dropped(random_params):
    params = {"params": random_params(layer(), X)}
    keys = jax.random.split(jax.random.key(0), B)
    expected = layer().apply(params, X, causal=True)
    quiet = dropped().apply(params, X, causal=True)
    certain = dropped(rate=0.0).apply(params, X, None, keys, causal=True)
    np.testing.assert_array_equal(quiet, expected)
    np.testing.assert_array_equal(certain, expected)


def test_one_key_is_kept_or_gone(random_params):
    """A query that sees itself alone has one weight, 1: its output is value/(1 - p) or nothing."""
    params = random_params(layer(), X)
    params["out"]["bias"] = jnp.zeros(D)
    eye = jnp.eye(T, dtype=bool)[None, None]
    keys = jax.random.split(jax.random.key(1), B)
    found = np.asarray(dropped().apply({"params": params}, X, eye, keys), np.float64)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    heads = np.einsum("btd,dnh->bnth", X, wide["value"]["kernel"]) + wide["value"]["bias"]
    each = np.einsum("bnth,nhd->btnd", heads, wide["out"]["kernel"]) / (1 - P)  # of each head
    ways = np.array([[w >> n & 1 for n in range(N)] for w in range(2**N)], np.float64)
    sums = np.einsum("wn,btnd->wbtd", ways, each)  # heads kept or gone: eight outputs
    assert np.abs(found - sums).max(-1).min(0).max() < 1e-4


def test_the_mean_over_masks_is_the_output_without_dropout(random_params):
    """Monte Carlo, each number within 5 standard errors of its own."""
    draws = 4000
    params = {"params": random_params(layer(), X)}
    expected = np.asarray(layer().apply(params, X, causal=True), np.float64)
    keys = jax.random.split(jax.random.key(2), (draws, B))
    one = lambda keys: dropped().apply(params, X, None, keys, causal=True)  # noqa: E731
    drawn = np.asarray(jax.jit(jax.vmap(one))(keys), np.float64)
    error = drawn.std(0) / np.sqrt(draws)
    assert error.min() > 0 and np.abs(drawn.mean(0) - expected).max() > 0
    assert (np.abs(drawn.mean(0) - expected) < 5 * error).all()


def test_the_variance_of_a_dropped_output_is_the_binomial_s(random_params):
    """Of Σ_s w_s v_s with each term kept by chance: p/(1−p) Σ_s (w_s v_s)², here through one head."""
    draws, one_head = 4000, SelfAttention(1, H, NORMAL, NORMAL, form="literal", dropout=P)
    params = random_params(one_head, X)
    quiet = {"params": params}
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    q, k, v = (
        np.asarray(X[0], np.float64) @ wide[name]["kernel"][:, 0] + wide[name]["bias"][0, 0]
        for name in ("query", "key", "value")
    )
    e = np.exp(q @ k.T / 2)
    terms = (e / e.sum(-1, keepdims=True))[:, :, None] * (v @ wide["out"]["kernel"][0])  # (T, S, D)
    expected = P / (1 - P) * (terms**2).sum(1)
    keys = jax.random.split(jax.random.key(3), (draws, 1))
    one = lambda keys: one_head.apply(quiet, X[:1], None, keys)[0]  # noqa: E731
    drawn = np.asarray(jax.jit(jax.vmap(one))(keys), np.float64)
    # The relative standard error of a variance is sqrt((κ − 1)/n); κ is below 5 here.
    np.testing.assert_allclose(drawn.var(0), expected, rtol=5 * np.sqrt(4 / draws))


def test_masks_do_not_depend_on_how_the_batch_is_divided(random_params):
    x = jnp.concatenate([X, X + 1, X * 2])
    params = {"params": random_params(layer(), x)}
    keys = jax.random.split(jax.random.key(4), len(x))
    apply = jax.jit(lambda x, keys: dropped().apply(params, x, None, keys, causal=True))
    whole = apply(x, keys)
    parts = [apply(x[at : at + 2], keys[at : at + 2]) for at in range(0, len(x), 2)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6, atol=1e-6)
    other = apply(x, keys[::-1])
    assert np.abs(other - whole).max() > 0.1  # another key, another mask


@pytest.mark.parametrize("form", ["blockwise", "fused"])
def test_forms_without_weights_cannot_drop_them(random_params, form):
    params = {"params": random_params(layer(), X)}
    keys = jax.random.split(jax.random.key(0), B)
    with pytest.raises(ValueError, match=f"{form} attention holds no weights to drop"):
        dropped(form).apply(params, X, None, keys)
    # Without keys, as in evaluation, any form will do.
    found = dropped(form).apply(params, X)
    np.testing.assert_allclose(found, layer().apply(params, X), rtol=1e-5, atol=1e-5)
