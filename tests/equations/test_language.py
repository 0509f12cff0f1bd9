import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from jaxgen.equations import language

B, T, V = 2, 5, 11

# Compiled whole, which takes less time than compiling each of their operations apart.
cross_entropy = jax.jit(language.cross_entropy)


@pytest.fixture
def tokens():
    return jnp.asarray(np.random.default_rng(3).integers(0, V, (B, T)))


def test_cross_entropy_is_minus_the_log_softmax_at_the_target(normal, tokens):
    logits = 4 * normal(B, T, V)
    table = special.log_softmax(np.asarray(logits, np.float64), axis=-1)
    expected = [[-table[b, t, tokens[b, t]] for t in range(T)] for b in range(B)]
    np.testing.assert_allclose(cross_entropy(logits, tokens), expected, rtol=2e-6)


def test_cross_entropy_of_equal_logits_is_the_log_of_the_vocabulary(tokens):
    found = cross_entropy(jnp.full((B, T, V), 3.0), tokens)
    np.testing.assert_allclose(found, np.full((B, T), np.log(V)), rtol=1e-6)


def test_cross_entropy_gradient_is_softmax_minus_one_hot(normal, tokens):
    logits = normal(B, T, V)
    gradient = jax.jit(jax.grad(lambda x: cross_entropy(x, tokens).sum()))(logits)
    expected = special.softmax(np.asarray(logits, np.float64), axis=-1)
    for b, t in np.ndindex(B, T):
        expected[b, t, tokens[b, t]] -= 1
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_cross_entropy_gradient_holds(normal, tokens, gradient_holds):
    gradient_holds(lambda x: cross_entropy(x, tokens[0]), normal(T, V))


def test_cross_entropy_is_exact_and_finite_at_extreme_logits():
    logits = jnp.asarray([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4, -1e4], [1e4, -1e4, 0]])
    targets = jnp.asarray([0, 1, 1])
    found = cross_entropy(logits, targets)
    # Without the shift the first would be rounded to a multiple of 2⁻¹⁰, the spacing at 1e4.
    expected = [np.log1p(np.exp(-1)), np.log(3), 2e4]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: cross_entropy(x, targets).sum()))(logits)
    assert np.all(np.isfinite(gradient))


def test_cross_entropy_of_bfloat16_logits_is_computed_in_float32(normal, tokens):
    logits = normal(B, T, V).astype(jnp.bfloat16)
    found = cross_entropy(logits, tokens)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, cross_entropy(logits.astype(jnp.float32), tokens))


def test_a_target_outside_the_vocabulary_is_loud_on_both_sides(allow_nans):
    """NaN in value and gradient, of that token alone; the last token is not −1, nor −V the first."""
    targets = jnp.asarray([V, V + 7, -1, -V, -V - 1, np.iinfo(np.int32).min, 0, V - 1])
    logits = jnp.asarray(np.random.default_rng(7).normal(size=(8, V)), jnp.float32)
    loss = jax.jit(jax.value_and_grad(lambda x: (cross_entropy(x, targets) / 8).sum()))
    found, (total, gradient) = cross_entropy(logits, targets), loss(logits)
    np.testing.assert_array_equal(np.isnan(found), [True] * 6 + [False] * 2)
    assert np.isnan(total)
    np.testing.assert_array_equal(np.isnan(gradient).all(axis=-1), [True] * 6 + [False] * 2)
    assert np.all(np.isfinite(gradient[6:]))
    table = special.log_softmax(np.asarray(logits[6:], np.float64), axis=-1)
    np.testing.assert_allclose(found[6:], [-table[0, 0], -table[1, V - 1]], rtol=2e-6)


def test_a_token_that_does_not_count_has_weight_0_not_target_minus_1(normal, allow_nans):
    logits, weights = normal(3, V), jnp.asarray([1.0, 0.0, 1.0])

    def mean(logits, targets):
        return (weights * cross_entropy(logits, targets)).sum() / weights.sum()

    counted = jnp.asarray([4, 0, 9])
    value, gradient = jax.value_and_grad(mean)(logits, counted)
    two = cross_entropy(logits[::2], counted[::2]).mean()
    np.testing.assert_allclose(value, two, rtol=1e-6)
    assert np.all(np.asarray(gradient)[1] == 0.0)
    assert np.isnan(mean(logits, counted.at[1].set(-1)))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-30, 30, width=32), min_size=5, max_size=5), st.floats(-30, 30))
def test_cross_entropy_ignores_a_constant_and_sums_to_one(numbers, constant):
    logits = jnp.broadcast_to(jnp.asarray(numbers, jnp.float32), (5, 5))
    every = jnp.arange(5)
    found = cross_entropy(logits, every)
    assert np.all(np.asarray(found) >= 0)
    assert np.exp(-np.asarray(found, np.float64)).sum() == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(cross_entropy(logits + constant, every), found, atol=2e-5)


def test_sequence_cross_entropy_is_the_chain_rule_per_token(tokens):
    """A bigram model's sequence probability, multiplied out by hand, gives the same nats."""
    rng = np.random.default_rng(4)
    table = rng.dirichlet(np.ones(V), size=V)
    inputs, targets = np.asarray(tokens)[:, :-1], np.asarray(tokens)[:, 1:]
    expected = [
        -np.log(np.prod([table[i, j] for i, j in zip(*row, strict=True)])) / (T - 1)
        for row in zip(inputs, targets, strict=True)
    ]
    logits = jnp.asarray(np.log(table)[inputs] + 7.0, jnp.float32)
    found = language.sequence_cross_entropy(logits, jnp.asarray(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("chunk", [4, 5, 12, 100])
def test_chunked_cross_entropy_is_the_literal_one(normal, chunk):
    """Values and gradients to 1e-6, whether chunks divide the 12 rows or not; never all logits."""
    features, kernel = normal(12, 7), normal(7, 31)
    targets = jnp.asarray(np.random.default_rng(0).integers(0, 31, 12), jnp.int32)
    weights = normal(12)

    def literal(features, kernel):
        nats = language.cross_entropy(features @ kernel, targets)
        return jnp.sum(weights * nats) / 12, nats

    def chunked(features, kernel):
        nats = language.chunked_cross_entropy(features, kernel, targets, chunk)
        return jnp.sum(weights * nats) / 12, nats

    both = [jax.jit(jax.value_and_grad(f, (0, 1), has_aux=True)) for f in (literal, chunked)]
    ((_, expected), grads), ((_, found), others) = (f(features, kernel) for f in both)
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=1e-6)
    for one, other in zip(others, grads, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=1e-6)
    program = str(jax.make_jaxpr(both[1])(features, kernel))
    assert ("12,31" in program) == (chunk == 12) and ("4,31" in program) == (chunk == 4)
