"""The order: a pure function of the step."""

import itertools

import jax
import numpy as np
import pytest

from jaxgen.data.order import Batches, InOrder, Order, Shuffled
from jaxgen.data.text.dataset import Tokens
from jaxgen.errors import UserError


def test_an_epoch_covers_each_example_at_most_once_and_leaves_out_the_partial_batch():
    order = Shuffled(num_examples=103, batch_size=10, seed=3)
    assert order.batches_per_epoch == 10
    for epoch in range(4):
        seen = order.indices_for(epoch * 10, 10).ravel()
        assert len(set(seen.tolist())) == 100
        assert 0 <= seen.min() <= seen.max() < 103


def test_every_example_is_seen_within_a_few_epochs():
    seen = Shuffled(num_examples=103, batch_size=10, seed=3).indices_for(0, 50)
    assert set(seen.ravel().tolist()) == set(range(103))


def test_indices_are_the_permutation_of_the_seed_and_the_epoch():
    order = Shuffled(num_examples=7, batch_size=3, seed=11)
    for step in range(10):
        permutation = np.random.default_rng([11, step // 2]).permutation(7)
        np.testing.assert_array_equal(order.indices(step), permutation[step % 2 * 3 :][:3])
        assert order.indices(step).dtype == np.int32


def test_the_order_of_a_seed_stays_as_it_is():
    # NumPy may change its streams; a run could then not be repeated, and we want to hear of it.
    order = Shuffled(num_examples=1000, batch_size=5, seed=0)
    assert order.indices_for(0, 2).tolist() == [
        [459, 206, 222, 162, 711],
        [814, 350, 890, 518, 264],
    ]


def test_seeds_and_epochs_differ():
    first, second = (Shuffled(100, 100, seed) for seed in (0, 1))
    assert not np.array_equal(first.indices(0), second.indices(0))
    assert not np.array_equal(first.indices(0), first.indices(1))
    np.testing.assert_array_equal(first.indices(0), Shuffled(100, 100, 0).indices(0))


def test_indices_for_equals_step_by_step_over_the_end_of_an_epoch():
    order = Shuffled(num_examples=23, batch_size=5, seed=2)
    blocks = order.indices_for(2, 9)
    for step in range(9):
        np.testing.assert_array_equal(blocks[step], order.indices(2 + step))


def test_the_shared_permutation_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        Shuffled(23, 5, 2).indices(0)[0] = 1


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 11])
def test_resumed_batches_equal_uninterrupted_ones(stop):
    dataset = Tokens({"tokens": np.arange(20, dtype=np.int32)}, 3, num_characters=20)
    order = Shuffled(dataset.num_examples, batch_size=4, seed=5)  # 4 batches an epoch
    whole = list(itertools.islice(Batches(dataset, order), 14))
    first = Batches(dataset, order)
    before = list(itertools.islice(first, stop))
    after = list(itertools.islice(Batches(dataset, order, first.position), 14 - stop))
    assert first.position == stop
    jax.tree.map(np.testing.assert_array_equal, before + after, whole)


def test_too_few_examples_name_both_sizes():
    with pytest.raises(
        UserError, match=r"^batch_size is 64, but the data set has only 10 examples: "
    ) as e:
        Shuffled(num_examples=10, batch_size=64, seed=0)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(("batch_size", "seed"), [(0, 0), (-1, 0), (4, -1)])
def test_senseless_numbers(batch_size, seed):
    with pytest.raises(UserError, match=r"^(batch_size|seed) is (0|-1): choose"):
        Shuffled(10, batch_size, seed)


def test_stretches_by_hand():
    """11 examples for 2 places: 0..4 and 5..9, two further at each step; then both begin again."""
    order = InOrder(num_examples=11, batch_size=2, stride=2)
    assert order.steps_per_epoch == 3
    found = [order.indices(step).tolist() for step in range(7)]
    assert found == [[0, 5], [2, 7], [4, 9], [0, 5], [2, 7], [4, 9], [0, 5]]
    assert order.indices_for(2, 3).tolist() == [[4, 9], [0, 5], [2, 7]]
    assert order.indices(0).dtype == order.indices_for(0, 1).dtype == np.int32


@pytest.mark.parametrize(
    ("sizes", "steps", "last"),
    [
        ((12, 3, 1), 4, [3, 7, 11]),  # whole stretches
        ((12, 3, 4), 1, [0, 4, 8]),  # a stretch is one stride
        ((12, 3, 5), 1, [0, 4, 8]),  # or less than one
        ((5, 5, 1), 1, [0, 1, 2, 3, 4]),
        ((9, 1, 2), 5, [8]),
    ],
)
def test_the_end_of_the_stretches_by_hand(sizes, steps, last):
    order = InOrder(*sizes)
    assert order.steps_per_epoch == steps
    assert order.indices(steps - 1).tolist() == last
    assert order.indices(steps).tolist() == order.indices(0).tolist()


def test_each_place_reads_on_where_it_stopped():
    """Windows of 3 of a text: what a place reads next is what it had to predict last."""
    dataset = Tokens({"tokens": np.arange(32, dtype=np.int32)}, 3, num_characters=32)
    order = InOrder(dataset.num_examples, batch_size=2, stride=3)  # 29 starts: stretches of 14
    batches = list(itertools.islice(Batches(dataset, order), order.steps_per_epoch))
    assert [batch["tokens"][0].tolist() for batch in batches] == [
        [0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12, 13, 14],
    ]  # fmt: skip
    assert batches[0]["tokens"][1].tolist() == [14, 15, 16]
    for batch, following in itertools.pairwise(batches):
        np.testing.assert_array_equal(following["tokens"][:, 0], batch["targets"][:, -1])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((10, 0), "batch_size and stride have to be 1 or more."),
        ((10, 2, 0), "batch_size and stride have to be 1 or more."),
        (
            (3, 4),
            "batch_size is 4, but 3 examples cannot be cut into so many stretches: choose a smaller "
            "one, or more data.",
        ),
    ],
)
def test_stretches_that_cannot_be(sizes, message):
    with pytest.raises(UserError) as error:
        InOrder(*sizes)
    assert str(error.value) == message


def test_both_are_orders():
    for order in (Shuffled(10, 2, 0), InOrder(10, 2)):
        assert isinstance(order, Order)
        assert order.indices_for(1, 3).shape == (3, 2)
