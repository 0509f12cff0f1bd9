"""Rows of a network that is told noise and class, see `jaxgen/layers/conditioning.py`.

Letters: Y waves of λ, G features inside the noise's embedding, C classes and one for none.
"""

from collections.abc import Mapping

from jaxgen.costs.formula import times
from jaxgen.costs.rows import BOTH, elementwise, matmul
from jaxgen.costs.table import Cost, Row

WAVES = 32  # sines and cosines of the noise
NORM = (7, 11)  # mean, subtract, square, mean, divide, scale, shift


def dense(
    name: str,
    sizes: Mapping[str, int],
    of: str,
    inputs: str,
    result: str,
    repeats: str = "",
    *,
    data: bool = False,
) -> list[Row]:
    """A matmul of `of` vectors with its bias; data: the input has no gradient."""
    elements = times(of, result)
    return [
        matmul(
            name, sizes, times(of, inputs, result), inputs, result=elements, repeats=repeats,
            kernel=times(inputs, result), gradients=("kernel",) if data else BOTH,
        ),
        elementwise(
            f"{name} bias", sizes, times(repeats, elements), 1, 1, parameters=times(repeats, result)
        ),
    ]  # fmt: skip


def silu(name: str, sizes: Mapping[str, int], elements: str) -> Row:
    """A sigmoid, which is 1, and a product; backward 5."""
    return elementwise(f"{name} silu", sizes, elements, 2, 5, kept=elements)


def condition(sizes: Mapping[str, int], D: str, *, classes: bool) -> list[Row]:
    """silu(noise embedding + class embedding), D features of each of B examples."""
    embedding = Row(
        "class embedding", "elementwise", sizes, forward=Cost(f"B·{D}", f"4·min(B, C)·{D}"),
        backward=Cost(f"B·{D}", f"4·C·{D}"), parameters=f"C·{D}", is_table=True,
    )  # fmt: skip
    return [
        elementwise("waves of noise", sizes, "B·Y", 2, 0),
        *dense("noise in", sizes, "B", "Y", "G", data=True),
        silu("noise", sizes, "B·G"),
        *dense("noise out", sizes, "B", "G", D),
        *([embedding] if classes else []),
        silu("condition", sizes, f"B·{D}"),
    ]
