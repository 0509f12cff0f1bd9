"""Counting, against sums over all tokens, a dictionary's counts, and a source whose entropy is known."""

from collections import Counter

import numpy as np
import pytest

from jaxgen.data.text.files import shakespeare
from jaxgen.metrics.ngrams import ngram_nats


def by_dictionary(train, history, token, order, V):
    """p(token | history) by the recursion itself."""
    if order == 0:
        return 1 / V
    h = tuple(history[len(history) - order + 1 :])
    follow = Counter(
        train[i + order - 1]
        for i in range(len(train) - order + 1)
        if tuple(train[i : i + order - 1]) == h
    )
    lower = by_dictionary(train, history, token, order - 1, V)
    if not follow:
        return lower
    total, kinds = sum(follow.values()), len(follow)
    return (follow[token] + kinds * lower) / (total + kinds)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_each_token_is_the_recursion_s(order):
    rng = np.random.default_rng(0)
    train, held_out = rng.integers(0, 4, 60), rng.integers(0, 5, 20)  # token 4 was never seen
    found = ngram_nats(train, held_out, order, 5)
    for i, token in enumerate(held_out):
        known = min(order, i + 1)
        p = by_dictionary(train.tolist(), held_out[:i].tolist(), token, known, 5)
        assert found[i] == pytest.approx(-np.log(p), rel=1e-12)


def test_each_context_s_probabilities_sum_to_one():
    train = np.random.default_rng(1).integers(0, 6, 200)
    for context in ([0, 1], [5, 5], [7, 0]):  # the last was never seen
        last = [ngram_nats(train, np.array([*context, c]), 3, 8)[-1] for c in range(8)]
        assert np.exp(-np.array(last)).sum() == pytest.approx(1, rel=1e-12)


def test_a_markov_chain_s_entropy_rate_is_reached_and_not_beaten():
    """A chain of first order: two tokens know all, one does not, four learn nothing more."""
    rng = np.random.default_rng(2)
    P = rng.dirichlet(np.full(5, 0.4), 5)
    chain = [0]
    for u in rng.random(60_000):
        chain.append(int(np.searchsorted(P[chain[-1]].cumsum(), u)))
    train, held_out = np.array(chain[:50_000]), np.array(chain[50_000:])
    stationary = np.linalg.matrix_power(P, 200)[0]
    rate = -(stationary[:, None] * P * np.log(P)).sum()
    nats = {n: ngram_nats(train, held_out, n, 5).mean() for n in (1, 2, 4)}
    error = ngram_nats(train, held_out, 2, 5).std() / np.sqrt(len(held_out))
    assert nats[1] > rate + 0.2
    assert nats[2] == pytest.approx(rate, abs=3 * error)
    assert rate - 3 * error < nats[4] < nats[2] + 0.02


def test_shakespeare_s_known_bigram(real_data):
    """2.48 nats is what is quoted of a bigram model on its last tenth."""
    train, held_out = shakespeare()
    names = {c: i for i, c in enumerate(sorted(set(train + held_out)))}
    ids = [np.array([names[c] for c in text]) for text in (train, held_out)]
    found = {n: ngram_nats(*ids, n, len(names)).mean() for n in (1, 2, 4, 6)}
    assert found[2] == pytest.approx(2.48, abs=0.01)
    assert found[1] > found[2] > found[4] > found[6]


@pytest.mark.parametrize(("order", "V"), [(0, 5), (40, 65)])
def test_an_order_that_cannot_be_is_refused(order, V):
    with pytest.raises(ValueError, match=f"order {order}"):
        ngram_nats(np.arange(5), np.arange(5), order, V)
