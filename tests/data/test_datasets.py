"""Batches from arrays: by hand, and the same on the host and inside a compiled loop."""

import jax
import numpy as np
import pytest

from jaxgen.data import Batches, Images, Shuffled, Tokens, load
from jaxgen.errors import UserError


def row(num_tokens, seq_len):
    return Tokens({"tokens": np.arange(num_tokens, dtype=np.int32) * 7}, seq_len, num_tokens)


def test_windows_by_hand():
    batch = row(13, 5).take({"tokens": np.arange(13, dtype=np.int32) * 7}, np.array([0, 7]))
    assert batch["tokens"].tolist() == [[0, 7, 14, 21, 28], [49, 56, 63, 70, 77]]
    assert batch["targets"].tolist() == [[7, 14, 21, 28, 35], [56, 63, 70, 77, 84]]
    assert batch["tokens"].dtype == batch["targets"].dtype == np.int32


def test_the_last_window_ends_with_the_text():
    tokens = row(13, 5)
    assert tokens.num_examples == 8
    assert tokens.take(tokens.arrays, np.array([7]))["targets"][0, -1] == 12 * 7


def test_windows_are_the_same_on_the_device():
    tokens, indices = row(101, 7), np.array([93, 0, 17], np.int32)
    on_device = jax.jit(tokens.take)(jax.device_put(tokens.arrays), indices)
    expected = tokens.take(tokens.arrays, indices)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(on_device), expected)


def test_a_scan_over_device_arrays_sees_the_batches_of_the_iterator():
    data = load("digits", kind="images").test
    order = Shuffled(data.num_examples, batch_size=50, seed=4)

    @jax.jit
    def run(arrays, indices):
        return jax.lax.scan(lambda carry, i: (carry, data.take(arrays, i)), 0, indices)[1]

    scanned = run(jax.device_put(data.arrays), order.indices_for(3, 9))
    iterator = Batches(data, order, position=3)
    for step in range(9):
        jax.tree.map(
            np.testing.assert_array_equal,
            jax.tree.map(lambda array, step=step: np.asarray(array[step]), scanned),
            next(iterator),
        )


def test_labels_are_left_out_where_there_are_none():
    images = Images({"image": np.full((3, 2, 5, 1), 3, np.uint8)}, 16)
    batch = images.take(images.arrays, np.array([1]))
    assert batch.keys() == {"image"}
    np.testing.assert_array_equal(batch["image"], np.full((1, 2, 5, 1), 3 / 16, np.float32))


@pytest.mark.parametrize("num_tokens", [0, 1, 5])
def test_a_text_shorter_than_a_window(num_tokens):
    with pytest.raises(UserError, match=rf"has {num_tokens} tokens, but seq_len 5 needs one more"):
        row(num_tokens, 5)
    assert row(6, 5).num_examples == 1


def test_a_senseless_length():
    with pytest.raises(UserError, match=r"^seq_len is 0: choose"):
        row(10, 0)
