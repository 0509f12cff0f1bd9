"""What the catalogue records of one formula: its one record, and how its live example is run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.catalog.costs import Rows, Sizes, equation_table
from jaxgen.catalog.shape import Shape, argument_shapes, result_shapes
from jaxgen.costs.table import Table

MEBI = 2**20

# What is wrong with the printed form, in a word; `VERDICTS` says each in a sentence.
Verdict = Literal[
    "right",
    "scale",
    "sign",
    "variable",
    "range",
    "missing constraint",
    "notation",
    "arithmetic",
    "advice",
    "not printed",
]

VERDICTS: Mapping[Verdict, str] = {
    "right": "the printed form is right",
    "scale": "a factor is missing or in the wrong place",
    "sign": "a term has the wrong sign",
    "variable": "an expectation or a density is over the wrong variable",
    "range": "a quantity is called what its range does not allow",
    "missing constraint": "true only under a condition that is not printed",
    "notation": "right in words, but the usual reading of the symbols says something else",
    "arithmetic": "the formula is right and the numbers worked out from it are not",
    "advice": "it works as printed, and the literature advises a variant",
    "not printed": "the documents imply or need it and do not print it",
}


@dataclass(frozen=True)
class Example:
    """Arguments small enough to print, and what to differentiate.

    Attributes:
      arguments: by parameter name. Tuples and floats become arrays; all else is passed as it is.
      differentiate: the arguments whose gradient is shown.
      scalar: what the gradient is of: the sum of the output (losses), or its first entry (rows of
        weights, whose sum is constant). Of several outputs, the last.
    """

    arguments: Mapping[str, Any]
    differentiate: tuple[str, ...]
    scalar: Literal["sum", "first entry"] = "sum"


@dataclass(frozen=True)
class Equation:
    """One row of the documents' mathematics: as printed, as it should be, both to be run, and its cost.

    Attributes:
      id: family, dot, name. document: number and section, such as '003, 4.1'.
      title: one line. printed, corrected: LaTeX (words translated from the Chinese).
      verdict: see `VERDICTS`. explanation: one paragraph on what the formula is, or what is wrong.
      paper: the source, with its equation. link: where to read it.
      function: the right form. printed_function: the printed form, None where that is right.
      example: for `function`. printed_example: for `printed_function` where its arguments differ.
      rows: the operations of value and gradient, see `costs`. Arrays are read from the signature.
      sizes: of the letters, where it is measured: such that no argument fits a cache.
      on_arrays: what is measured where `function` needs more than arrays, or is to be measured with one
        that has a default: a function of arrays alone, by its own signature.
      twins: other functions of the same formula, which models call instead: in pieces, over a sequence.
    """

    id: str
    document: str
    title: str
    printed: str
    corrected: str
    verdict: Verdict
    explanation: str
    paper: str
    link: str
    function: Callable[..., Any] = field(repr=False)
    example: Example = field(repr=False)
    rows: Rows = field(repr=False)
    sizes: Sizes = field(default_factory=lambda: {"B": 16 * MEBI}, repr=False)
    on_arrays: Callable[..., Any] | None = field(default=None, repr=False)
    twins: tuple[Callable[..., Any], ...] = field(default=(), repr=False)
    printed_function: Callable[..., Any] | None = field(default=None, repr=False)
    printed_example: Example | None = field(default=None, repr=False)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Of each argument of `function`, in the project's shape letters, from its signature."""
        return argument_shapes(self.function)

    @property
    def results(self) -> dict[str, Shape]:
        """Of the result, or of its parts by name, from the signature."""
        return result_shapes(self.function)

    @property
    def measured(self) -> Callable[..., Any]:
        """The form whose cost is counted and whose time is taken: a function of arrays."""
        return self.on_arrays or self.function

    @property
    def arrays(self) -> dict[str, Shape]:
        """The arguments of `measured`, those with a default left out."""
        shapes = argument_shapes(self.measured)
        return {name: shape for name, shape in shapes.items() if shape.required}

    def costs(self, sizes: Sizes) -> Table:
        """The cost table of value and gradient at these sizes.

        Raises:
          KeyError: a letter has no size, once the table is evaluated.
        """
        results = result_shapes(self.measured).values()
        return equation_table(self.id, self.rows(sizes), self.arrays.values(), results, sizes)

    def run(self) -> "Run":
        """The right form on its example."""
        return _run(self.function, self.example)

    def run_printed(self) -> "Run | None":
        """The printed form on its example; None where the printed form is the right one."""
        if self.printed_function is None:
            return None
        return _run(self.printed_function, self.printed_example or self.example)


class Run(NamedTuple):
    """A function's value on its example, and its gradient by argument name."""

    value: Any
    gradient: dict[str, jax.Array]


def _run(function: Callable[..., Any], example: Example) -> Run:
    arrays = {
        name: jnp.asarray(value) if isinstance(value, tuple | float) else value
        for name, value in example.arguments.items()
    }

    def scalar(chosen: dict[str, jax.Array]) -> tuple[jax.Array, Any]:
        value = function(**{**arrays, **chosen})
        last = jax.tree.leaves(value)[-1]
        return (jnp.sum(last) if example.scalar == "sum" else jnp.ravel(last)[0]), value

    chosen = {name: arrays[name] for name in example.differentiate}
    gradient, value = jax.jit(jax.grad(scalar, has_aux=True))(chosen)
    # jax.grad sorts a dictionary by key; the page shows the arguments in the example's order.
    return Run(value, {name: gradient[name] for name in example.differentiate})


def implied(
    family: str,
    document: str,
    usual_sizes: Sizes,
    name: str,
    title: str,
    corrected: str,
    explanation: str,
    source: tuple[str, str],
    place: str,
    function: Callable[..., Any],
    example: Example,
    rows: Rows,
    sizes: Sizes | None = None,
    **others: Any,
) -> Equation:
    """A record of what the documents speak of and do not print, with its paper and the place there."""
    return Equation(
        id=f"{family}.{name}", document=f"implied by {document}", title=title, printed="",
        corrected=corrected, verdict="not printed", explanation=explanation,
        paper=f"{source[0]}, {place}", link=source[1],
        function=function, example=example, rows=rows, sizes=sizes or usual_sizes,
        **others,
    )  # fmt: skip
