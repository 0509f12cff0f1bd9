import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from jaxgen.equations import attention

B, N, T, S, H, U = 2, 3, 5, 7, 11, 13  # distinct primes: a swapped axis cannot pass

# Compiled whole, which takes less time than compiling each of their operations apart.
attend = jax.jit(attention.scaled_dot_product_attention)
weigh = jax.jit(attention.weights, static_argnums=1)


@pytest.fixture
def qkv(normal):
    return normal(B, N, T, H), normal(B, N, S, H), normal(B, N, S, U)


def loops(query, key, value, mask=None, divisor=None, factor=1.0):
    """Attention one number at a time in float64."""
    query, key, value = (np.asarray(a, np.float64) for a in (query, key, value))
    divisor = divisor or np.sqrt(query.shape[-1])
    out = np.zeros((*query.shape[:-1], value.shape[-1]))
    for b in range(query.shape[0]):
        for n in range(query.shape[1]):
            for t in range(query.shape[2]):
                seen = [s for s in range(key.shape[2]) if mask is None or mask[t, s]]
                row = [np.exp(query[b, n, t] @ key[b, n, s] / divisor) for s in seen]
                for weight, s in zip(row, seen, strict=True):
                    out[b, n, t] += factor * weight / sum(row) * value[b, n, s]
    return out


def test_scores_are_all_dot_products(qkv):
    query, key, _ = (np.asarray(a, np.float64) for a in qkv)
    expected = np.zeros((B, N, T, S))
    for b, n, t, s in np.ndindex(B, N, T, S):
        expected[b, n, t, s] = sum(query[b, n, t, h] * key[b, n, s, h] for h in range(H))
    np.testing.assert_allclose(attention.scores(*qkv[:2]), expected, atol=1e-5)


def test_scores_accumulate_bfloat16_in_float32():
    ones = jnp.ones((1, 257), jnp.bfloat16)
    found = attention.scores(ones, ones)
    assert found.dtype == jnp.float32
    assert float(found[0, 0]) == 257.0  # bfloat16 has no 257


def test_weights_are_the_softmax_of_scaled_scores(normal):
    raw = 5 * normal(B, N, T, S)
    expected = special.softmax(np.asarray(raw, np.float64) / np.sqrt(H), axis=-1)
    np.testing.assert_allclose(weigh(raw, H), expected, rtol=2e-6)


def test_masked_weights_are_the_softmax_over_what_is_seen(normal):
    raw = 5 * normal(B, N, T, S)
    mask = np.random.default_rng(1).random((T, S)) < 0.5
    mask[:, 2] = True
    expected = special.softmax(
        np.where(mask, np.asarray(raw, np.float64) / np.sqrt(H), -np.inf), axis=-1
    )
    found = np.asarray(weigh(raw, H, jnp.asarray(mask)))
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    assert np.all(found[..., ~mask] == 0.0)


def test_a_mask_of_each_rank_means_the_same(qkv):
    query, key, value = qkv
    mask = attention.causal_mask(T, S)
    narrow = attend(query, key, value, mask)
    full = jnp.broadcast_to(mask, (B, N, T, S))
    wide = attend(query, key, value, full)
    np.testing.assert_array_equal(narrow, wide)
    padding = jnp.arange(S)[None, None, None, :] < jnp.asarray([S, 4])[:, None, None, None]
    padded = attend(query, key, value, padding)
    cut = attend(query[1], key[1, :, :4], value[1, :, :4])
    np.testing.assert_allclose(padded[1], cut, atol=1e-6)


def test_a_query_that_sees_nothing_gets_zeros_and_no_gradient(qkv):
    query, key, value = qkv
    mask = jnp.ones((T, S), bool).at[3].set(False)

    def total(query):
        found = attend(query, key, value, mask)
        return jnp.sum(jnp.square(found)), found

    gradient, found = jax.jit(jax.grad(total, has_aux=True))(query)
    assert np.all(np.asarray(found)[:, :, 3] == 0.0)
    assert np.all(np.asarray(gradient)[:, :, 3] == 0.0)
    assert np.all(np.any(np.asarray(gradient)[:, :, 2] != 0.0, axis=-1))


def test_weights_are_finite_at_extreme_scores():
    raw = jnp.asarray([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
    for mask in (None, jnp.asarray([[False, True, True]] * 2 + [[False] * 3])):
        found = weigh(raw, 1, mask)
        gradient = jax.jit(jax.grad(lambda x, m=mask: weigh(x, 1, m)[:, 1].sum()))(raw)
        assert np.all(np.isfinite(gradient))
        expected = [[1, 0, 0], [1 / 3] * 3, [1 / 3] * 3]
        if mask is not None:
            expected = [[0, 0, 1], [0, 0.5, 0.5], [0, 0, 0]]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weights_of_bfloat16_scores_are_computed_in_float32(normal):
    raw = normal(T, S).astype(jnp.bfloat16)
    found = weigh(raw, H)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, weigh(raw.astype(jnp.float32), H))


def test_output_is_the_weighted_sum_of_values(normal):
    weights, value = normal(B, N, T, S), normal(B, N, S, U)
    w, v = np.asarray(weights, np.float64), np.asarray(value, np.float64)
    expected = sum(w[..., s, None] * v[:, :, None, s] for s in range(S))
    np.testing.assert_allclose(attention.output(weights, value), expected, atol=1e-5)
    assert attention.output(weights, value.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_scaled_dot_product_attention_equals_loops(qkv):
    mask = np.random.default_rng(2).random((T, S)) < 0.6
    mask[:, 0] = True
    for given_mask in (None, mask):
        expected = loops(*qkv, mask=given_mask)
        jax_mask = None if given_mask is None else jnp.asarray(given_mask)
        found = attend(*qkv, jax_mask)
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_scaled_dot_product_attention_equals_the_library(qkv):
    query, key, value = qkv[0], qkv[1][:, :, :T], qkv[1][:, :, :T] ** 2
    time_major = (jnp.swapaxes(a, 1, 2) for a in (query, key, value))
    expected = jnp.swapaxes(jax.nn.dot_product_attention(*time_major, is_causal=True), 1, 2)
    mask = attention.causal_mask(T, T)
    found = attend(query, key, value, mask)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_gradient_of_masked_attention(normal, gradient_holds):
    mask = attention.causal_mask(3, 5)
    gradient_holds(
        lambda q, k, v: attend(q, k, v, mask),
        normal(3, 2),
        normal(5, 2),
        normal(5, 3),
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-50, 50, width=32), min_size=6, max_size=6), st.floats(-50, 50))
def test_weights_ignore_a_constant_and_follow_a_permutation(numbers, constant):
    raw = jnp.asarray(numbers, jnp.float32).reshape(2, 3)
    found = np.asarray(weigh(raw, 4))
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weigh(raw + constant, 4), found, atol=1e-5)
    # Not bit for bit: the row's sum is taken in the other order.
    np.testing.assert_allclose(weigh(raw[:, ::-1], 4)[:, ::-1], found, rtol=1e-6)


def test_causal_mask_lets_a_query_see_up_to_itself():
    for queries, keys in ((1, 1), (5, 5), (1, 7), (5, 7)):
        found = attention.causal_mask(queries, keys)
        for t in range(queries):
            for s in range(keys):
                # Counted from the end, where the last query stands at the last key.
                assert bool(found[t, s]) == (keys - s >= queries - t)


def test_causal_mask_refuses_queries_that_would_see_nothing():
    with pytest.raises(ValueError, match="query_len 7 is larger than key_len 5"):
        attention.causal_mask(7, 5)


def test_the_future_does_not_reach_the_past(qkv):
    query, key, value = qkv[0], qkv[1][:, :, :T], qkv[2][:, :, :T]
    mask = attention.causal_mask(T, T)
    before = attend(query, key, value, mask)
    value = value.at[:, :, 3].add(100.0)
    after = attend(query, key.at[:, :, 3].add(1.0), value, mask)
    np.testing.assert_array_equal(before[:, :, :3], after[:, :, :3])
    assert np.all(np.asarray(before[:, :, 3:]) != np.asarray(after[:, :, 3:]))


def test_printed_attention_is_as_printed(qkv):
    expected = loops(*qkv, divisor=H, factor=1 / np.sqrt(H))
    found = attention.printed_scaled_dot_product_attention(*qkv)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("head_size", [1, 4, 64])
def test_printed_attention_rows_sum_to_one_over_the_root_of_the_head_size(normal, head_size):
    query, key = normal(T, head_size), normal(S, head_size)
    ones = jnp.ones((S, 1))  # values of one make the output the sum of the weights
    printed = attention.printed_scaled_dot_product_attention(query, key, ones)
    np.testing.assert_allclose(printed, np.full((T, 1), head_size**-0.5), rtol=1e-6)
    right = attend(query, key, ones)
    np.testing.assert_allclose(right, np.ones((T, 1)), rtol=1e-6)


def test_printed_scalings_flatten_or_sharpen_a_wide_head(normal):
    wide = 4096
    query, key = normal(101, wide), normal(S, wide)
    everything = jnp.eye(S)  # the identity as values shows the weights
    twice = attention.printed_scaled_dot_product_attention(query, key, everything)
    twice = np.asarray(twice) * np.sqrt(wide)
    never = np.asarray(attention.printed_weights(attention.scores(query, key)))
    right = np.asarray(weigh(attention.scores(query, key), wide))

    def entropy(rows):
        return special.entr(rows.astype(np.float64)).sum(axis=-1).mean() / np.log(S)

    assert entropy(twice) > 0.999  # a plain average: the query no longer matters
    assert entropy(never) < 0.05  # one key takes all
    assert 0.6 < entropy(right) < 0.9


def test_printed_weights_are_right_for_a_head_of_one_only(normal):
    raw = 3 * normal(T, S)
    printed = attention.printed_weights(raw)
    np.testing.assert_allclose(
        printed, special.softmax(np.asarray(raw, np.float64), axis=-1), rtol=2e-6
    )
    np.testing.assert_array_equal(printed, weigh(raw, 1))
    assert np.max(np.abs(np.asarray(printed - weigh(raw, 2)))) > 0.05


def test_worked_example_has_the_right_numbers():
    found = attention.worked_example(*attention.worked_example_inputs())
    assert found.scores.tolist() == [[4, 5, 6], [8, 10, 12], [12, 15, 18]]
    # By hand: with r = e, e², e³ a row is (1, r, r²) / (1 + r + r²), and the output 7 + w₂ + 2 w₃.
    rows = [(1 / (1 + r + r * r) * np.array([1, r, r * r])) for r in np.exp([1.0, 2.0, 3.0])]
    np.testing.assert_allclose(found.weights, rows, rtol=2e-6)
    np.testing.assert_allclose(
        found.weights,
        [
            [0.0900306, 0.2447285, 0.6652410],
            [0.0158762, 0.1173104, 0.8668133],
            [0.0023556, 0.0473142, 0.9503302],
        ],
        atol=2e-7,
    )
    np.testing.assert_allclose(found.output, [[8.5752104], [8.8509371], [8.9479746]], atol=2e-6)


def test_printed_worked_example_is_thirds_which_softmax_does_not_give():
    inputs = attention.worked_example_inputs()
    printed, right = attention.printed_worked_example(*inputs), attention.worked_example(*inputs)
    np.testing.assert_array_equal(printed.scores, right.scores)
    np.testing.assert_allclose(printed.weights, np.full((3, 3), 1 / 3), rtol=1e-6)
    np.testing.assert_allclose(printed.output, [[7 / 3, 8 / 3, 3.0]] * 3, rtol=1e-6)
    assert np.max(np.abs(np.asarray(printed.weights - right.weights))) > 0.6
    # Nor is the printed output what the printed weights give: that would be a column of 8.
    product = attention.output(printed.weights, inputs[2])
    np.testing.assert_allclose(product, [[8.0]] * 3, rtol=1e-6)
    assert printed.output.shape != right.output.shape == (3, 1)
