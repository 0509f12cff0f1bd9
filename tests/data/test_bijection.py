"""The keyed bijection: one to one for every size, random to look at, the same in NumPy and in jit."""

import itertools
import os
from functools import partial

import jax
import numpy as np
import pytest
from scipy import stats

from jaxgen.data import order
from jaxgen.data.bijection import mixed, permuted
from jaxgen.data.order import KeyedShuffle, Shuffled, shuffled


@pytest.mark.first
def test_it_is_one_to_one():
    """Every size up to 10,000 where $JAXGEN_KILLS asks for a soak; else every one to 200, then few."""
    stride = 1 if "JAXGEN_KILLS" in os.environ else 97
    for n in [*range(1, 200), *range(200, 10_001, stride), 10_000]:
        found = permuted(np.arange(n), n, 3, n % 7)
        seen = np.zeros(n, bool)
        seen[found] = True  # an example beyond n - 1 would be an IndexError
        assert seen.all(), n


@pytest.mark.parametrize("n", [50, 97, 1000, 40_009])
def test_first_differences_are_uniform(n):
    """Of a random permutation d = (π(i + 1) - π(i)) mod n is 1 .. n - 1 with equal probability.

    60 keys: their p-values of a chi-square test are uniform themselves (Kolmogorov-Smirnov at 10^-4).
    """
    kinds = min(64, (n - 1) // 5)
    group = np.arange(n - 1) * kinds // (n - 1)
    expected = np.bincount(group) / (n - 1)
    values = []
    for seed, epoch in itertools.product(range(6), range(10)):
        found = permuted(np.arange(n), n, seed, epoch)
        counts = np.bincount(group[np.diff(found) % n - 1], minlength=kinds)
        values.append(stats.chisquare(counts, expected * counts.sum()).pvalue)
    assert stats.kstest(values, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("n", [1, 2, 3, 5, 1000, 65_537, 2**31])
def test_inside_jit_it_is_the_same(n):
    positions = np.arange(n) if n < 10**6 else np.arange(1000) * (n // 1000)
    program = jax.jit(lambda positions, seed, epoch: permuted(positions, n, seed, epoch))
    for seed, epoch in ((0, 0), (11, 3), (2**31 - 1, 2**20)):
        found = np.asarray(program(positions.astype(np.int32), seed, epoch))
        np.testing.assert_array_equal(found, permuted(positions, n, seed, epoch))


def test_beyond_32_bits_examples_stay_different_and_below_the_end():
    n = 3 * 2**40 + 5
    found = permuted(np.arange(100_000), n, 1, 2)
    assert found.dtype == np.int64 and found.min() >= 0 and n // 2 < found.max() < n
    assert len(np.unique(found)) == 100_000


def test_a_bit_of_the_mixer_changes_half_of_the_others():
    """Avalanche: 2^14 words, each input bit flips each output bit in 0.5 ± 5 sigma of them."""
    words = np.random.default_rng(0).integers(2**32, size=2**14, dtype=np.uint32)
    for bit in range(32):
        changed = mixed(words) ^ mixed(words ^ np.uint32(1 << bit))
        shares = [np.mean(changed >> np.uint32(k) & np.uint32(1)) for k in range(32)]
        # The mixer's own bias is below 2^-6 a bit; 5 sigma of the count is 0.02.
        assert np.abs(np.array(shares) - 0.5).max() < 0.02 + 2**-6


def test_the_order_of_a_seed_stays_as_it_is():
    found = KeyedShuffle(num_examples=1000, batch_size=5, seed=0).indices_for(0, 2)
    assert found.dtype == np.int32
    assert found.tolist() == ORDER


ORDER = [[604, 694, 83, 881, 849], [698, 644, 588, 886, 957]]


def test_its_epochs_are_those_of_the_other_way_to_shuffle():
    """Each epoch another order, the partial batch left out, resumed at any step."""
    keyed = KeyedShuffle(num_examples=103, batch_size=10, seed=3)
    assert keyed.batches_per_epoch == Shuffled(103, 10, 3).batches_per_epoch == 10
    epochs = [keyed.indices_for(epoch * 10, 10).ravel().tolist() for epoch in range(3)]
    for epoch in epochs:
        assert len(set(epoch)) == 100 and set(epoch) <= set(range(103))
    assert epochs[0] != epochs[1] != epochs[2]
    np.testing.assert_array_equal(keyed.indices_for(7, 8)[3:], keyed.indices_for(10, 5))
    assert keyed.indices(0).tolist() != KeyedShuffle(103, 10, 4).indices(0).tolist()


def test_the_number_of_examples_decides(monkeypatch):
    monkeypatch.setattr(order, "PERMUTED_EXAMPLES", 100)
    assert type(shuffled(100, 10, 0)) is Shuffled
    assert type(shuffled(101, 10, 0)) is KeyedShuffle
    assert KeyedShuffle(2**33, 2, 0).indices(0).dtype == np.int64


def test_a_resume_is_exact_over_the_end_of_an_epoch_of_a_billion():
    """The next 8 batches are those of the run that was not stopped; no permutation is made."""
    billion = partial(KeyedShuffle, 10**9 + 7, 12)
    last = billion(5).batches_per_epoch - 3
    whole = billion(5).indices_for(last - 4, 12)
    np.testing.assert_array_equal(billion(5).indices_for(last, 8), whole[4:])
    assert len(np.unique(whole)) == whole.size  # 144 of a billion meet with probability 10^-5
