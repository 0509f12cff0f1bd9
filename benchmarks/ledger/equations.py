"""`python -m benchmarks.ledger.equations`: every equation of the catalogue, its value and gradient.

Each is one program: the value, and by `jax.vjp` the gradient by every argument that has one. Nearly all
are bound by memory, so their least bytes decide. What is measured, and at which sizes, stands in each
equation's record.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measure.timing import measure
from jaxgen.catalog import EQUATIONS, Equation
from jaxgen.costs.table import Table
from jaxgen.costs.walk.count import count, xla_flops

SHORT = 64
"""By how much --short divides the leading axes."""


def sizes_of(equation: Equation, *, short: bool = False) -> dict[str, int]:
    """Shape letters to the sizes that an equation is measured at."""
    sizes = dict(equation.sizes)
    if short:
        first = next(iter(sizes))
        sizes[first] = max(1, sizes[first] // SHORT)
    return sizes


def program(
    equation: Equation, sizes: Mapping[str, int]
) -> tuple[Callable, dict[str, jax.ShapeDtypeStruct]]:
    """(a function of arrays by name, their shapes), as the equation's record has them."""
    return equation.measured, {name: shape.sized(sizes) for name, shape in equation.arrays.items()}


def with_gradients(function: Callable) -> Callable:
    """`(arguments, gradient of the result) -> (result, gradients by all arguments that are real)`."""

    def both(arrays, result_gradient):
        real = {name: array for name, array in arrays.items() if array.dtype == jnp.float32}
        rest = {name: array for name, array in arrays.items() if name not in real}
        result, pull = jax.vjp(lambda real: function(**real, **rest), real)
        return result, pull(result_gradient)[0]

    return both


def run_equations(*, short: bool) -> list[dict]:
    """One row an equation, without ceilings yet."""
    return [_row(equation, short) for equation in EQUATIONS.values()]


def _row(equation: Equation, short: bool) -> dict[str, Any]:
    sizes = sizes_of(equation, short=short)
    function, shapes = program(equation, sizes)
    results = jax.eval_shape(lambda arrays: function(**arrays), shapes)
    arguments = (
        _filled(shapes, sizes),
        jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), results),
    )
    row = measured(with_gradients(function), arguments, 3 if short else 9)
    letters = ", ".join(f"{letter} {size:,d}" for letter, size in sizes.items())
    case = f"{equation.id} ({letters})"
    return {"benchmark": "equations", "case": case} | row | costs(equation.costs(sizes))


def measured(function: Callable, arguments: tuple, repetitions: int) -> dict[str, Any]:
    """The measured half of a row: a program's times, and what the walk and XLA count of it."""
    jitted = jax.jit(function)
    start = time.perf_counter()
    compiled = jitted.lower(*arguments).compile()
    compile_seconds = time.perf_counter() - start
    timing = measure(lambda: compiled(*arguments), repetitions, burn_in=1)
    return {
        **asdict(timing), "compile_seconds": compile_seconds,
        "walk_flops": count(jitted, *arguments).matmul_flops,
        "xla_flops": xla_flops(jitted, *arguments),
        "xla_bytes": (compiled.cost_analysis() or {}).get("bytes accessed"),
    }  # fmt: skip


def costs(table: Table) -> dict[str, Any]:
    """The other half: what the mathematics of float32 arrays says; they and no more are touched."""
    return {
        "dtype": "float32", "mathematics_flops": table.matmul_flops,
        "mathematics_elementwise_flops": table.elementwise_flops,
        "least_bytes": table.least_bytes(), "touched_bytes": table.least_bytes(),
    }  # fmt: skip


def _filled(shapes: Mapping[str, jax.ShapeDtypeStruct], sizes: Mapping[str, int]) -> dict:
    """Normal numbers, positive for a constant; whole numbers below V."""
    keys = jax.random.split(jax.random.key(0), len(shapes))
    return {
        name: jax.random.randint(key, shape.shape, 0, sizes.get("V", 1))
        if shape.dtype == jnp.int32
        else jax.random.normal(key, shape.shape) if math.prod(shape.shape) > 1 else jnp.ones(shape.shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }  # fmt: skip
