"""Shapes are what the signature says, whatever the record says: there is no second place."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Optional

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import Array, Bool, Float, Int

from jaxgen.catalog import EQUATIONS
from jaxgen.catalog.shape import argument_shapes, result_shapes


class Parts(NamedTuple):
    """Two results."""

    sums: Float[Array, "*B T"]
    best: Int[Array, ""]


def example(
    apply: Callable[[Array], Array],
    x: Float[Array, "*B T #S"],
    ids: Int[Array, "*#B T"],
    size: int,
    mask: Bool[Array, "*#B #T"] | None = None,
    scale: Optional[Float[Array, " D"]] = None,  # noqa: UP045 - the old spelling reads the same
    factor: Float[Array, ""] | float = 1.0,
) -> Parts:
    """Never called."""


def test_a_signature_is_read_as_it_stands():
    found = argument_shapes(example)
    assert {name: str(shape) for name, shape in found.items()} == {
        "apply": "function",
        "x": "*B T #S",
        "ids": "*#B T, int",
        "size": "int",
        "mask": "*#B #T, bool or None",
        "scale": "D or None",
        "factor": "scalar or float",
    }
    assert [name for name, shape in found.items() if shape.required] == [
        "apply",
        "x",
        "ids",
        "size",
    ]
    kinds = {name: shape.kind for name, shape in found.items() if shape.kind}
    assert kinds == {
        "x": "float", "ids": "int", "mask": "bool", "scale": "float", "factor": "float",
    }  # fmt: skip
    assert {name: str(shape) for name, shape in result_shapes(example).items()} == {
        "sums": "*B T", "best": "scalar, int",
    }  # fmt: skip


def test_leading_axes_are_one_letter_and_those_that_only_broadcast_none():
    sizes = {"B": 2, "T": 3, "S": 5, "D": 7}
    found = argument_shapes(example)
    assert found["x"].sized(sizes) == jax.ShapeDtypeStruct((2, 3, 5), jnp.float32)
    assert found["ids"].sized(sizes) == jax.ShapeDtypeStruct((3,), jnp.int32)
    assert found["mask"].sized(sizes) == jax.ShapeDtypeStruct((3,), jnp.bool_)
    assert found["factor"].sized(sizes) == jax.ShapeDtypeStruct((), jnp.float32)
    elements = [found[name].elements for name in ("x", "ids", "scale", "factor")]
    assert elements == ["B·T·S", "T", "D", "1"]
    with pytest.raises(KeyError, match="S"):
        found["x"].sized({"B": 2, "T": 3})


def test_an_equation_s_shapes_follow_its_function():
    """Another function in the record, and nothing else, changes the shapes, the arrays and the bytes."""

    def doubled(scores: Float[Array, "*B T S"]) -> Float[Array, "*B"]:
        return scores.sum((-1, -2))

    before = EQUATIONS["gan.wasserstein-generator-loss"]
    after = replace(before, function=doubled)
    assert {name: str(s) for name, s in before.shapes.items()} == {"fake_scores": "*B"}
    assert {name: str(s) for name, s in after.shapes.items()} == {"scores": "*B T S"}
    sizes = {"B": 2, "T": 3, "S": 5}
    assert before.costs(sizes).least_bytes("forward") == 4 * (2 + 2)
    assert after.costs(sizes).least_bytes("forward") == 4 * (30 + 2)


@pytest.mark.parametrize(
    ("equation_id", "arguments", "results"),
    [
        (
            "attention.scaled-dot-product",
            {"query": "*B T H", "key": "*B S H", "value": "*B S U",
             "mask": "*#B #T #S, bool or None"},
            {"value": "*B T U"},
        ),
        (
            "attention.worked-example",
            {"query": "T H", "key": "S H", "value": "S U"},
            {"scores": "T S", "weights": "T S", "output": "T U"},
        ),
        ("gan.generator", {"apply": "function", "noise": "*B Z"}, {"value": "array"}),
        ("lm.cross-entropy", {"logits": "*B T V", "targets": "*B T, int"}, {"value": "*B"}),
        (
            "transformer.rms-norm",
            {"x": "*B D", "scale": "D or None", "epsilon": "float"},
            {"value": "*B D"},
        ),
    ],
)  # fmt: skip
def test_the_shapes_of_the_catalogue_s_own(equation_id, arguments, results):
    equation = EQUATIONS[equation_id]
    assert {name: str(shape) for name, shape in equation.shapes.items()} == arguments
    assert {name: str(shape) for name, shape in equation.results.items()} == results


@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=lambda e: e.id)
def test_the_function_gives_the_shapes_that_its_signature_says(equation):
    sizes = {
        "B": 2,
        "T": 3,
        "S": 5,
        "H": 4,
        "U": 7,
        "X": 11,
        "V": 13,
        "D": 17,
        "Z": 19,
        "G1": 23,
        "G": 12,
        "G2": 8,
        "K": 6,
        "F": 29,
        "P": 9,
        "I": 41,
        "O": 31,
        "C": 6,
    }
    arrays = {name: shape.sized(sizes) for name, shape in equation.arrays.items()}
    found = jax.eval_shape(lambda arrays: equation.measured(**arrays), arrays)
    expected = [shape.sized(sizes) for shape in result_shapes(equation.measured).values()]
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(found)] == [
        (x.shape, x.dtype) for x in expected
    ]
