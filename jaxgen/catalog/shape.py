"""Shapes as a function's jaxtyping signature has them, read rather than written a second time."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp

from jaxgen.costs.formula import times

Kind = Literal["float", "int", "bool"]


@dataclass(frozen=True)
class Shape:
    """An argument or a result: `*B T H`, `*B T, int`, `D or None`, `float`, `function`.

    Attributes:
      text: as a person reads it. kind: of the numbers of an array; None for all else.
      letters: an array's axes, one letter each. `*B`, the leading axes all together, is B; leading
        axes that only broadcast, `*#B`, are left out, for none are needed.
      required: an argument without a default.
    """

    text: str
    kind: Kind | None = None
    letters: tuple[str, ...] = ()
    required: bool = True

    def __str__(self) -> str:
        return self.text

    @property
    def elements(self) -> str:
        """How many numbers it holds, as a formula in the letters."""
        return times(*self.letters)

    def sized(self, sizes: Mapping[str, int]) -> jax.ShapeDtypeStruct:
        """The array of these sizes, its numbers 32 bits wide.

        Raises:
          KeyError: a letter has no size.
        """
        dtypes = {"float": jnp.float32, "int": jnp.int32, "bool": jnp.bool_}
        dtype = dtypes[self.kind or "float"]
        return jax.ShapeDtypeStruct(tuple(sizes[letter] for letter in self.letters), dtype)


def argument_shapes(function: Callable[..., Any]) -> dict[str, Shape]:
    """By name, in the order of the signature."""
    hints = get_type_hints(function)
    return {
        name: _shape(hints[name], required=parameter.default is inspect.Parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def result_shapes(function: Callable[..., Any]) -> dict[str, Shape]:
    """Of the parts of a named tuple by name, or of the one result as `value`."""
    result = get_type_hints(function)["return"]
    if hasattr(result, "_fields"):
        hints = get_type_hints(result)
        return {name: _shape(hints[name]) for name in result._fields}
    return {"value": _shape(result)}


def _shape(hint: Any, *, required: bool = True) -> Shape:
    if get_origin(hint) in (
        Union,
        UnionType,
    ):  # an array or None, an array or a number: the array decides
        first, *rest = (_shape(member) for member in get_args(hint))
        text = " or ".join([first.text, *(shape.text for shape in rest)])
        return Shape(text, first.kind, first.letters, required)
    if not hasattr(hint, "dim_str"):
        return Shape(_name(hint), required=required)
    kind = hint.dtype.__name__.lower()  # jaxtyping's Float, Int or Bool
    text = (hint.dim_str or "scalar") + ("" if kind == "float" else f", {kind}")
    axes = [axis for axis in hint.dim_str.split() if not axis.startswith("*#")]
    return Shape(text, kind, tuple(axis.lstrip("*#") for axis in axes), required)


def _name(hint: Any) -> str:
    if hint is NoneType:
        return "None"
    if get_origin(hint) is Callable:
        return "function"
    return hint.__name__.split(".")[-1].lower()  # jax's own name for an array has dots
