"""Three forms of attention, one answer: the literal equation is the oracle of the other two.

The literal form itself is tested against loops in `test_attention.py`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from jaxgen.equations import attention_forms
from jaxgen.equations.attention_forms import FORMS, blockwise, fused, literal

B, N, T, S, H, U = 2, 3, 5, 7, 11, 13  # distinct primes: a swapped axis cannot pass
# (block, causal, masked): a block that divides neither length, one of them, or is larger than both.
CASES = [(3, False, False), (3, True, False), (3, False, True), (2, True, True), (5, True, False),
         (64, True, True), (1, True, True)]  # fmt: skip


@pytest.fixture
def qkv(normal):
    return normal(B, N, T, H), normal(B, N, S, H), normal(B, N, S, U)


def value_and_gradients(form, query, key, value, mask=None, **options):
    """The output, and the gradients of its product with fixed numbers."""

    @jax.jit
    def both(query, key, value):
        out, pull_back = jax.vjp(lambda *x: form(*x, mask, **options), query, key, value)
        weight = jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape)
        return out, *pull_back(weight.astype(out.dtype))

    return both(query, key, value)


def agree(found, expected, tolerance=2e-6):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def some_mask():
    """Each query its own keys; query 2 none at all, and key 4 seen by nobody."""
    mask = np.random.default_rng(1).random((B, 1, T, S)) < 0.6
    mask[:, :, 2], mask[..., 4] = False, False
    return jnp.asarray(mask)


@pytest.mark.parametrize(("block", "causal", "masked"), CASES)
def test_blockwise_is_the_equation(qkv, block, causal, masked):
    mask = some_mask() if masked else None
    expected = value_and_gradients(literal, *qkv, mask, causal=causal)
    agree(value_and_gradients(blockwise, *qkv, mask, causal=causal, block=block), expected)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_fused_is_the_equation(qkv, causal, masked):
    mask = some_mask() if masked else None
    expected = value_and_gradients(literal, *qkv, mask, causal=causal)
    agree(value_and_gradients(fused, *qkv, mask, causal=causal), expected)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (5, 7), (1, 9)])
def test_the_last_query_stands_at_the_last_key(normal, name, queries, keys):
    """Causal without a mask: a loop over queries, each with the keys that it sees and no others."""
    query, key, value = normal(N, queries, H), normal(N, keys, H), normal(N, keys, U)
    found = FORMS[name](query, key, value, causal=True)
    for t in range(queries):
        seen = keys - queries + t + 1
        alone = literal(query[:, t : t + 1], key[:, :seen], value[:, :seen])
        np.testing.assert_allclose(found[:, t : t + 1], alone, atol=2e-6)


@pytest.mark.parametrize("value_size", [3, H, 29])
def test_fused_takes_values_of_any_size(normal, value_size):
    arrays = normal(B, N, T, H), normal(B, N, S, H), normal(B, N, S, value_size)
    expected = value_and_gradients(literal, *arrays, causal=True)
    agree(value_and_gradients(fused, *arrays, causal=True), expected)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("batch", "queries", "keys"), [(2, 5, 0), (2, 0, 7), (2, 0, 0), (0, 5, 7)])
def test_without_keys_the_output_is_zero_and_without_queries_empty(
    normal, name, causal, masked, batch, queries, keys
):
    if causal and queries > keys:
        return  # refused, as a test below asserts
    arrays = normal(batch, queries, H), normal(batch, keys, H), normal(batch, keys, U)
    mask = jnp.ones((queries, keys), bool) if masked else None
    out, *gradients = value_and_gradients(FORMS[name], *arrays, mask, causal=causal)
    np.testing.assert_array_equal(out, np.zeros((batch, queries, U)))
    for gradient, array in zip(gradients, arrays, strict=True):
        np.testing.assert_array_equal(gradient, np.zeros(array.shape))


@pytest.mark.parametrize("causal", [False, True])
def test_fused_where_the_sizes_would_fit_the_kernel_of_a_tpu(normal, causal):
    arrays = [normal(1, 2, 128, 8) for _ in range(3)]
    expected = value_and_gradients(literal, *arrays, causal=causal)
    agree(value_and_gradients(fused, *arrays, causal=causal), expected, 1e-5)


@pytest.mark.parametrize("name", FORMS)
def test_a_query_that_sees_nothing_gives_zero_and_no_gradient(qkv, name):
    query, key, value = qkv
    out, dq, dk, dv = value_and_gradients(FORMS[name], query, key, value, some_mask())
    assert not out[:, :, 2].any() and not dq[:, :, 2].any()
    assert not dk[:, :, 4].any() and not dv[:, :, 4].any()
    assert out[:, :, 1].all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(B, 1, 1, S), (1, N, T, 1), (T, S), (1, S)])
def test_every_form_takes_masks_that_broadcast(qkv, shape, causal):
    mask = jnp.asarray(np.random.default_rng(2).random(shape) < 0.7)
    whole = jnp.broadcast_to(mask, (B, N, T, S))
    expected = value_and_gradients(literal, *qkv, whole, causal=causal)
    agree(value_and_gradients(literal, *qkv, mask, causal=causal), expected)
    agree(value_and_gradients(blockwise, *qkv, mask, causal=causal, block=3), expected)
    agree(value_and_gradients(fused, *qkv, mask, causal=causal), expected)


@pytest.mark.parametrize("lead", [(), (2, 2, 3)])
def test_any_leading_axes(normal, lead):
    arrays = normal(*lead, T, H), normal(*lead, S, H), normal(*lead, S, U)
    expected = value_and_gradients(literal, *arrays)
    agree(value_and_gradients(blockwise, *arrays, block=2), expected)
    agree(value_and_gradients(fused, *arrays), expected)


@pytest.mark.parametrize("form", [functools.partial(blockwise, block=4), fused])
def test_bfloat16_keeps_its_dtype_and_is_as_near_as_its_digits(normal, form):
    arrays = [normal(B, N, 13, 16) for _ in range(3)]
    narrow = [array.astype(jnp.bfloat16) for array in arrays]
    expected = value_and_gradients(literal, *[array.astype(jnp.float32) for array in narrow])
    found = value_and_gradients(form, *narrow, causal=False)
    assert {array.dtype for array in found} == {jnp.dtype(jnp.bfloat16)}
    # Eight bits of mantissa: 2^-8 of the largest term, a few times over.
    for one, other in zip(found, expected, strict=True):
        error = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max()
        assert error < 4 * 2**-8 * np.abs(other).max()


def test_blockwise_gradient_by_finite_differences(normal, gradient_holds):
    arrays = normal(2, 5, 3), normal(2, 7, 3), normal(2, 7, 4)
    gradient_holds(lambda *x: blockwise(*x, causal=True, block=3), *arrays)


def test_blockwise_is_exact_at_extreme_scores(normal):
    """Scores in the thousands: a softmax without its running maximum would overflow."""
    query, key, value = 100 * normal(1, 7, 11), 100 * normal(1, 7, 11), normal(1, 7, 11)
    agree(blockwise(query, key, value, block=2), literal(query, key, value), 1e-5)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("keys", [5, 0])
def test_causal_attention_refuses_more_queries_than_keys(qkv, name, keys):
    query, key, value = qkv
    with pytest.raises(ValueError, match=f"query_len 7 is larger than key_len {keys}"):
        FORMS[name](key, query[..., :keys, :], value[..., :keys, :], causal=True)


def test_causal_blocks_that_nobody_sees_are_left_out():
    i, j = attention_forms._pairs(8, 8, True, 2)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [
        (0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3),
    ]  # fmt: skip
    assert len(attention_forms._pairs(8, 8, False, 2)[0]) == 16
    # Two queries at the end of eight keys see them all.
    assert len(attention_forms._pairs(2, 8, True, 2)[0]) == 4


def largest_array(form, length):
    """The elements of the largest array in the whole program, forward and backward."""
    arrays = [jax.ShapeDtypeStruct((1, length, 16), jnp.float32)] * 3

    def loss(*arrays):
        return form(*arrays, causal=True).sum()

    def sizes(jaxpr):
        for eqn in jaxpr.eqns:
            yield from (out.aval.size for out in eqn.outvars)
            for inner in core.jaxprs_in_params(eqn.params):
                yield from sizes(inner)

    return max(sizes(jax.make_jaxpr(jax.grad(loss, argnums=(0, 1, 2)))(*arrays).jaxpr))


def test_no_array_of_the_blockwise_form_grows_with_the_square():
    assert largest_array(literal, 4096) == 4096**2
    assert largest_array(blockwise, 4096) == 4096 * 16
    assert largest_array(blockwise, 8192) == 8192 * 16
