"""The distribution that tokens are drawn from: against loops over one row in NumPy, and by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.equations.sampling import sampling_log_probs

ROW = [2.0, 1.0, 0.0, -1.0]


def loops(logits, temperature, k, share, penalty, seen):
    """One row: tokens sorted by Python, taken until there are k or the share is full."""
    pairs = zip(logits, seen, strict=True)
    values = [(v / penalty if v > 0 else v * penalty) if s else v for v, s in pairs]
    order = sorted(range(len(values)), key=lambda v: (-values[v], v))
    if temperature == 0:
        return [0.0 if v == order[0] else -np.inf for v in range(len(values))]
    powers = {v: np.exp((values[v] - values[order[0]]) / temperature) for v in order[:k]}
    total, kept, reached = sum(powers.values()), [], 0.0
    for v in powers:
        if reached >= share:
            break
        kept.append(v)
        reached += powers[v] / total
    total = sum(powers[v] for v in kept)
    return [np.log(powers[v] / total) if v in kept else -np.inf for v in range(len(values))]


rows = st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=5, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    rows,
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    st.sampled_from([None, 1, 3, 5, 9]),
    st.sampled_from([None, 0.13, 0.71, 0.97, 1.0]),
    st.sampled_from([1.0, 1.7]),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_every_setting_is_the_loop_over_a_sorted_row(logits, temperature, k, share, penalty, seen):
    found = compiled(k, share)(
        jnp.asarray(logits, jnp.float32), temperature, penalty, jnp.asarray(seen)
    )
    # A share that is met to the last digit of float32 may be met or not.
    nearby = [share] if share is None else [share - 1e-6, share + 1e-6]
    fits = []
    for each in nearby:
        limit = 2.0 if each is None or each >= 1 else each
        expected = np.asarray(loops(logits, temperature, k or 5, limit, penalty, seen))
        fits.append(np.allclose(found, expected, rtol=1e-5, atol=2e-5))
    assert any(fits)


@functools.cache
def compiled(k=None, share=None):
    """One program for each pair of settings that decide which tokens are left."""
    return jax.jit(
        lambda logits, temperature=1.0, penalty=1.0, seen=None: sampling_log_probs(
            logits, temperature, top_k=k, top_p=share, repetition_penalty=penalty, seen=seen
        )
    )


def test_by_hand():
    logits = jnp.asarray(ROW)
    powers = np.exp(ROW)
    np.testing.assert_allclose(compiled()(logits), np.log(powers / powers.sum()), rtol=1e-6)
    two = np.exp(compiled(2)(logits))
    np.testing.assert_allclose(two, [np.e / (np.e + 1), 1 / (np.e + 1), 0, 0], rtol=1e-6)
    # 0.644, 0.237, 0.087, 0.032: the first two are 0.881.
    nucleus = jax.jit(lambda share: sampling_log_probs(logits, top_p=share))
    for share, kept in ((0.6, 1), (0.65, 2), (0.88, 2), (0.89, 3), (1.0, 4)):
        assert np.isfinite(nucleus(share)).sum() == kept, share
    penalised = compiled()(logits, 1.0, 2.0, jnp.asarray([True, False, False, True]))
    powers = np.exp([1.0, 1.0, 0.0, -2.0])
    np.testing.assert_allclose(penalised, np.log(powers / powers.sum()), rtol=1e-6)


def test_each_row_of_any_leading_axes_is_alone():
    logits = np.random.default_rng(0).standard_normal((2, 3, 7)).astype(np.float32)
    seen = np.random.default_rng(1).random((2, 3, 7)) < 0.5
    of = compiled(5, 0.8)
    whole = of(jnp.asarray(logits), 0.7, 1.3, jnp.asarray(seen))
    for i, j in np.ndindex(2, 3):
        own = of(jnp.asarray(logits[i, j]), 0.7, 1.3, jnp.asarray(seen[i, j]))
        np.testing.assert_allclose(whole[i, j], own, rtol=1e-6)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 1e-40, 1e-30, 1e-3, 1e30])
def test_extreme_temperatures_and_logits_are_finite_where_they_may_be_drawn(temperature):
    """Greedy is the limit: a temperature of 1e-30 has the same numbers."""
    logits = jnp.asarray([-1e4, 88.0, 1e4, 1e4 - 1, -jnp.inf])
    found = np.asarray(compiled(None, 0.9)(logits, temperature))
    assert not np.isnan(found).any()
    if temperature < 1e-2:
        assert found.tolist() == [-np.inf, -np.inf, 0.0, -np.inf, -np.inf]


def test_of_equal_logits_the_first_are_the_likelier():
    for program, temperature, kept in (
        (compiled(2), 1.0, 2), (compiled(), 0.0, 1), (compiled(None, 0.4), 1.0, 2),
    ):  # fmt: skip
        found = np.isfinite(program(jnp.zeros(4), temperature)).tolist()
        assert found == [True] * kept + [False] * (4 - kept)


def test_gradient(gradient_holds):
    """Of the log-probability of tokens that may be drawn: what a policy's gradient is made of."""

    def kept(logits):
        log_probs = sampling_log_probs(logits, 0.7, top_k=3, top_p=0.95)
        return jnp.where(jnp.isfinite(log_probs), log_probs, 0.0)

    gradient_holds(kept, jnp.asarray([ROW, [0.3, -0.2, 1.1, 0.4]]))
