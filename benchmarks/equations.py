"""`python -m benchmarks.equations`: every equation of the catalogue, its value and gradient.

Each is one program: the value, and by `jax.vjp` the gradient by every argument that has one. Nearly all
are bound by memory, so their least bytes decide; sizes are such that no argument fits a cache.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measure import measure
from jaxgen.catalog import EQUATIONS
from jaxgen.costs.count import count, xla_flops
from jaxgen.costs.equations import equation_costs
from jaxgen.costs.table import Table
from jaxgen.equations.entry import Equation

MEBI = 2**20
SHORT = 64
"""By how much --short divides the leading axes."""

DEFAULTED = ("mask", "epsilon", "base", "beta", "real_label")
"""Arguments that are left at their default."""

_SIZES: Mapping[str, Mapping[str, int]] = {
    "attention": {"B": 16, "T": 512, "S": 512, "H": 64, "U": 64},
    "gan": {"B": 16 * MEBI},
    "gan.generator": {"B": 4096, "Z": 64, "G1": 512, "X": 784},
    "vae": {"B": 16 * MEBI},
    "vae.encoder": {"B": 16384, "X": 784},
    "vae.decoder": {"B": 16384, "X": 784},
    "vae.reparameterisation": {"B": 16384, "X": 784},
    "vae.gaussian-kl": {"B": 16384, "X": 784},
    "lm": {"B": 8, "T": 256, "V": 8192},
    "transformer": {"B": 16 * MEBI},
    "transformer.layer-norm": {"B": 16384, "D": 768},
    "transformer.rms-norm": {"B": 16384, "D": 768},
    "transformer.rotary": {"B": 64, "T": 1024, "H": 64},
    "attention.worked-example": {"T": 4096, "S": 4096, "H": 64, "U": 64},
}
"""Sizes of an equation, or of all those of a family that are not named."""


def sizes_of(equation_id: str, *, short: bool = False) -> dict[str, int]:
    """Shape letters to the sizes that an equation is measured at."""
    sizes = dict(_SIZES.get(equation_id) or _SIZES[equation_id.split(".")[0]])
    if short:
        first = next(iter(sizes))
        sizes[first] = max(1, sizes[first] // SHORT)
        if equation_id == "attention.worked-example":
            sizes["S"] = sizes["T"]
    return sizes


def program(
    equation: Equation, sizes: Mapping[str, int]
) -> tuple[Callable, dict[str, jax.ShapeDtypeStruct]]:
    """(a function of arrays by name, their shapes), of the arguments that have no default.

    The generator, which the equation takes as a function, is two dense layers with their weights.
    """
    if equation.id == "gan.generator":
        return _generator(equation, sizes)
    fixed: dict[str, Any] = {}
    arrays = {}
    for name, shape in equation.shapes.items():
        if name in DEFAULTED:
            continue
        if shape == "int":
            fixed[name] = sizes["H"]
        else:
            letters = shape.split(",")[0].removesuffix(" or None").split()
            # '*#B T' broadcasts over the leading axes: none are needed
            axes = [x.lstrip("*") for x in letters if x != "scalar" and not x.startswith("*#")]
            dtype = jnp.int32 if shape.endswith("int") else jnp.float32
            arrays[name] = jax.ShapeDtypeStruct(tuple(sizes[x] for x in axes), dtype)
    return lambda **given: equation.function(**given, **fixed), arrays


def _generator(equation: Equation, sizes: Mapping[str, int]) -> tuple[Callable, dict]:
    def function(noise, w1, b1, w2, b2):
        def mlp(z):
            return jax.nn.sigmoid(jax.nn.relu(z @ w1 + b1[None]) @ w2 + b2[None])

        return equation.function(mlp, noise)

    letters = {"noise": "B Z", "w1": "Z G1", "b1": "G1", "w2": "G1 X", "b2": "X"}
    return function, {
        name: jax.ShapeDtypeStruct([sizes[x] for x in axes.split()], jnp.float32)
        for name, axes in letters.items()
    }


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
    sizes = sizes_of(equation.id, short=short)
    function, shapes = program(equation, sizes)
    results = jax.eval_shape(lambda arrays: function(**arrays), shapes)
    arguments = (
        _filled(shapes, sizes),
        jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), results),
    )
    row = measured(with_gradients(function), arguments, 3 if short else 9)
    letters = ", ".join(f"{letter} {size:,d}" for letter, size in sizes.items())
    table = equation_costs(equation.id, sizes)
    return {"benchmark": "equations", "case": f"{equation.id} ({letters})"} | row | costs(table)


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
        "xla_bytes": compiled.cost_analysis().get("bytes accessed"),
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
        else jax.random.normal(key, shape.shape) if math.prod(shape.shape) > 1 else jnp.ones(())
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }  # fmt: skip


if __name__ == "__main__":
    from benchmarks.cli import main_one

    main_one("equations")
