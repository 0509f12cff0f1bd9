"""What an equation costs: its record's operations, and the arrays of its signature.

Forward is one evaluation; backward, in the same program, the gradient by every array that is
real-valued, for a given gradient of the result. Only arguments, results and their gradients cross the
memory, each once: what lies between can stay on the chip, and does in the best implementations.

Letters are those of the signature; B the leading axes, all of them together (examples, or examples and
heads). A sigmoid is 1, its gradient 3; a softplus is exp, add, log: 3, its gradient a sigmoid and a
product: 2.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from jaxgen.catalog.shape import Shape
from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import FLOAT32_BYTES, elementwise
from jaxgen.costs.table import Cost, Row, Table

Sizes = Mapping[str, int]
Rows = Callable[[Sizes], list[Row]]


def operations(elements: str, forward: int, backward: int, name: str = "elementwise") -> Rows:
    """One row: so many operations on each element, forward and in its gradient."""
    return lambda sizes: [elementwise(name, sizes, elements, forward, backward)]


def equation_table(
    name: str, rows: list[Row], arguments: Iterable[Shape], results: Iterable[Shape], sizes: Sizes
) -> Table:
    """The rows, none of which moves anything, and one for what moves."""
    arguments = list(arguments)
    real = [shape for shape in arguments if shape.kind == "float"]
    constant = [shape for shape in arguments if shape.kind != "float"]
    moved = Row(
        "arguments and results", "elementwise", sizes,
        forward=Cost("0", _bytes([*real, *constant, *results])),
        backward=Cost("0", _bytes([*real, *results])),
    )  # fmt: skip
    return Table(name, (*map(_on_chip, rows), moved))


def _bytes(shapes: Iterable[Shape]) -> str:
    counted = Counter(shape.elements for shape in shapes)
    return times(FLOAT32_BYTES, plus(*(times(count, part) for part, count in counted.items())))


def _on_chip(row: Row) -> Row:
    return replace(
        row, forward=replace(row.forward, bytes="0"), backward=replace(row.backward, bytes="0")
    )
