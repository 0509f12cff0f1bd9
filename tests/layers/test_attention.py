"""Self-attention against loops in NumPy float64: every way to say which keys a query sees.

Sizes differ, so that a swapped axis fails: B 2, T 5, N 3, H 4, D 7.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.attention_forms import FORMS
from jaxgen.layers.attention import Attention, empty_cache

B, T, N, H, D = 2, 5, 3, 4, 7
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((B, T, D)), jnp.float32)
OWN = RNG.random((B, 1, T, T)) < 0.6  # of each example
OWN[0, 0, 3] = False  # a query that sees nothing by its mask
OWN[1, 0, 2] = [False, False, False, True, True]  # and one that sees nothing but the future
MASKS = {"none": None, "of each": OWN, "of all": OWN[:1], "everything": np.ones((1, 1, T, T), bool)}
NORMAL = nn.initializers.normal(1.0)


def layer(**options):
    return Attention(N, H, NORMAL, NORMAL, **options)


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
    found = jax.jit(lambda p, x: model.apply({"params": p}, x, mask=given, causal=causal))(
        params, X
    )
    np.testing.assert_allclose(found, loops(X, params, sees), rtol=1e-5, atol=1e-5)


def test_the_causal_flag_is_the_mask_of_that_rule(random_params):
    params = random_params(layer(), X)
    rule = jnp.asarray(np.tri(T, dtype=bool))[None, None]
    flag, mask = (
        layer().apply({"params": params}, X, mask=mask, causal=causal)
        for mask, causal in [(None, True), (rule, False)]
    )
    np.testing.assert_array_equal(flag, mask)


def test_a_token_without_keys_is_the_bias_alone(random_params):
    """The example's first query sees itself only, and by its mask not even that."""
    params = random_params(layer(), X)
    nothing = jnp.zeros((1, 1, T, T), bool)
    found = layer().apply({"params": params}, X, mask=nothing, causal=True)
    np.testing.assert_array_equal(found, np.broadcast_to(params["out"]["bias"], (B, T, D)))


# Another memory, a bias, and a cache.


def test_a_memory_is_read_in_the_place_of_x(random_params):
    """Queries of X over S = 6 places of another width, by loops; a padded place counts for nothing."""
    memory = jnp.asarray(RNG.standard_normal((B, 6, 11)), jnp.float32)
    seen = np.array([[True] * 6, [True, True, False, True, True, False]])
    params = random_params(layer(), X, memory)
    found = jax.jit(layer().apply)({"params": params}, X, memory, jnp.asarray(seen)[:, None, None])
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for b in range(B):
        out = np.zeros((T, D)) + wide["out"]["bias"]
        for n in range(N):
            q, k, v = (
                np.asarray(each[b], np.float64) @ wide[name]["kernel"][:, n] + wide[name]["bias"][n]
                for name, each in (("query", X), ("key", memory), ("value", memory))
            )
            for t in range(T):
                e = np.where(seen[b], np.exp(k @ q[t] / 2), 0.0)
                out[t] += (e / e.sum()) @ v @ wide["out"]["kernel"][n]
        np.testing.assert_allclose(found[b], out, rtol=1e-5, atol=1e-5)


def test_a_bias_is_added_to_the_scaled_scores(random_params):
    """A bias of log w multiplies the weight of a key by w before they are made to sum to 1."""
    params = random_params(layer(), X)
    factors = RNG.random((1, N, T, T)) + 0.1
    bias = jnp.asarray(np.log(factors), jnp.float32)
    found = jax.jit(layer().apply)({"params": params}, X, bias=bias)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    expected = np.zeros((B, T, D)) + wide["out"]["bias"]
    for b in range(B):
        for n in range(N):
            q, k, v = (
                np.asarray(X[b], np.float64) @ wide[name]["kernel"][:, n] + wide[name]["bias"][n]
                for name in ("query", "key", "value")
            )
            e = factors[0, n] * np.exp(q @ k.T / 2)
            expected[b] += e / e.sum(-1, keepdims=True) @ v @ wide["out"]["kernel"][n]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="fused attention holds no weights"):
        layer(form="fused").apply({"params": params}, X, bias=jnp.zeros((1, 1, T, T)))


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_a_sequence_in_parts_through_a_cache_is_the_whole_one(random_params, rotary, causal):
    """Two places at once, then one by one; the second example's cache is shortened in between."""
    model = layer(rotary=rotary)
    params = {"params": random_params(model, X)}
    cache = empty_cache(B, N, T + 2, H)
    apply = jax.jit(functools.partial(model.apply, causal=causal))
    first, cache = apply(params, X[:, :2], cache=cache)
    cache = cache._replace(filled=jnp.asarray([2, 1]))
    ours = [first]
    for t in range(2, T):
        place = jnp.stack([X[0, t], X[1, t - 1]])[:, None]
        out, cache = apply(params, place, cache=cache)
        ours.append(out)
    assert cache.filled.tolist() == [T, T - 1]
    ours = np.concatenate(ours, 1)
    if causal:
        whole = apply(params, X)
        np.testing.assert_allclose(ours[0], whole[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(ours[1, 2:], whole[1, 1:-1], rtol=1e-5, atol=1e-5)
        return
    for t in range(2, T):  # each part reads all that there is when it comes
        whole = apply(params, X[:1, : t + 1])
        np.testing.assert_allclose(ours[0, t], whole[0, t], rtol=1e-5, atol=1e-5)


def test_a_cache_does_not_grow_by_a_memory(random_params):
    with pytest.raises(ValueError, match="no place for a memory"):
        layer().apply({"params": {}}, X, X, cache=empty_cache(B, N, T, H))


# Dropout of the weights.

P = 0.3


def dropped(form="auto", rate=P):
    return layer(form=form, dropout=rate)


def test_without_keys_or_rate_no_weight_is_dropped(random_params):
    params = {"params": random_params(layer(), X)}
    keys = jax.random.split(jax.random.key(0), B)
    expected = layer().apply(params, X, causal=True)
    quiet = dropped().apply(params, X, causal=True)
    certain = dropped(rate=0.0).apply(params, X, dropout_keys=keys, causal=True)
    np.testing.assert_array_equal(quiet, expected)
    np.testing.assert_array_equal(certain, expected)


def test_one_key_is_kept_or_gone(random_params):
    """A query that sees itself alone has one weight, 1: its output is value/(1 - p) or nothing."""
    params = random_params(layer(), X)
    params["out"]["bias"] = jnp.zeros(D)
    eye = jnp.eye(T, dtype=bool)[None, None]
    keys = jax.random.split(jax.random.key(1), B)
    found = np.asarray(
        dropped().apply({"params": params}, X, mask=eye, dropout_keys=keys), np.float64
    )
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
    one = lambda keys: dropped().apply(params, X, dropout_keys=keys, causal=True)  # noqa: E731
    drawn = np.asarray(jax.jit(jax.vmap(one))(keys), np.float64)
    error = drawn.std(0) / np.sqrt(draws)
    assert error.min() > 0 and np.abs(drawn.mean(0) - expected).max() > 0
    assert (np.abs(drawn.mean(0) - expected) < 5 * error).all()


def test_the_variance_of_a_dropped_output_is_the_binomial_s(random_params):
    """Of Σ_s w_s v_s with each term kept by chance: p/(1−p) Σ_s (w_s v_s)², here through one head."""
    draws, one_head = 4000, Attention(1, H, NORMAL, NORMAL, form="literal", dropout=P)
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
    one = lambda keys: one_head.apply(quiet, X[:1], dropout_keys=keys)[0]  # noqa: E731
    drawn = np.asarray(jax.jit(jax.vmap(one))(keys), np.float64)
    # The relative standard error of a variance is sqrt((κ − 1)/n); κ is below 5 here.
    np.testing.assert_allclose(drawn.var(0), expected, rtol=5 * np.sqrt(4 / draws))


def test_masks_do_not_depend_on_how_the_batch_is_divided(random_params):
    x = jnp.concatenate([X, X + 1, X * 2])
    params = {"params": random_params(layer(), x)}
    keys = jax.random.split(jax.random.key(4), len(x))
    apply = jax.jit(lambda x, keys: dropped().apply(params, x, dropout_keys=keys, causal=True))
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
        dropped(form).apply(params, X, dropout_keys=keys)
    # Without keys, as in evaluation, any form will do.
    found = dropped(form).apply(params, X)
    np.testing.assert_allclose(found, layer().apply(params, X), rtol=1e-5, atol=1e-5)
