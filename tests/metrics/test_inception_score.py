"""The Inception score of classifiers whose answers are known."""

import numpy as np
import pytest
from scipy import special, stats

from jaxgen.metrics.inception_score import inception_score


def test_sure_and_even_is_the_number_of_classes():
    logits = 1e4 * np.eye(7, dtype=np.float32)[np.arange(21) % 7]
    assert inception_score(logits) == pytest.approx(7.0)


def test_sure_of_one_class_or_unsure_of_all_is_one():
    assert inception_score(1e4 * np.eye(7)[np.zeros(5, int)]) == pytest.approx(1.0)
    assert inception_score(np.zeros((5, 7))) == pytest.approx(1.0)


def test_shares_of_classes_give_the_exponential_of_their_entropy():
    counts = [5, 3, 2]
    logits = 1e3 * np.eye(3)[np.repeat(np.arange(3), counts)]
    assert inception_score(logits) == pytest.approx(np.exp(stats.entropy(counts)))


def test_any_logits_by_scipy():
    logits = 3 * np.random.default_rng(0).standard_normal((11, 5))
    p = special.softmax(logits, axis=1)
    nats = special.rel_entr(p, p.mean(0)[None]).sum(1)
    assert inception_score(logits) == pytest.approx(np.exp(nats.mean()), rel=1e-12)
