"""Data of arrays that a program hands over."""

import numpy as np
import pytest

from jaxgen.data import from_arrays, load, spec_from_json
from jaxgen.errors import UserError

POINTS = {"x": np.arange(10.0).reshape(5, 2), "label": np.arange(5)}


def test_a_batch_is_the_rows_in_32_bits():
    data = from_arrays(POINTS, {"x": [[7.0, 8.0]], "label": [3]})
    batch = data.train.take(data.train.arrays, np.array([3, 0]))
    np.testing.assert_array_equal(batch["x"], [[6, 7], [0, 1]])
    np.testing.assert_array_equal(batch["label"], [3, 0])
    assert {name: str(array.dtype) for name, array in batch.items()} == {
        "x": "float32", "label": "int32",
    }  # fmt: skip
    assert (data.train.num_examples, data.test.num_examples) == (5, 1)


def test_the_spec_comes_back_from_json():
    spec = from_arrays(POINTS, POINTS).spec
    assert spec.shapes == {"x": (2,), "label": ()}
    assert spec.to_json() == {
        "kind": "arrays",
        "shapes": {"label": [], "x": [2]},
        "dtypes": {"label": "int32", "x": "float32"},
    }
    assert spec_from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("shapes", "dtypes"),
    [({"x": [-2]}, {"x": "float32"}), ({"x": [2]}, {}), ({"x": [2]}, {"x": "no dtype"})],
)
def test_a_damaged_spec_is_refused(shapes, dtypes):
    with pytest.raises((KeyError, TypeError, ValueError)):
        spec_from_json({"kind": "arrays", "shapes": shapes, "dtypes": dtypes})


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ({}, {}, "training arrays have the lengths {}: give at least one array"),
        (POINTS | {"y": np.zeros(4)}, POINTS, "lengths {'label': 5, 'x': 5, 'y': 4}"),
        (POINTS, {"x": np.zeros((0, 2)), "label": np.zeros(0, int)}, "held-out arrays have the len"),
        (POINTS, {"x": np.zeros((3, 2))}, r"differ in names, shapes or dtypes \(label int32\[\], x fl"),
        ({"x": np.array(["a"])}, {"x": np.array(["a"])}, "'x' holds <U1: give numbers"),
        ({"x": np.array([2**40])}, {"x": np.array([1])}, "'x' has numbers beyond int32"),
    ],
)  # fmt: skip
def test_what_cannot_be_data_is_one_sentence(train, test, message):
    with pytest.raises(UserError, match=message) as error:
        from_arrays(train, test)
    assert "\n" not in str(error.value)


def test_no_source_has_arrays():
    with pytest.raises(UserError, match="No source holds arrays: give the experiment a `load`"):
        load("digits", kind="arrays")
