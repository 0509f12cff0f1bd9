"""`python -m benchmarks.attention`: the three forms of attention over T, forward and backward.

Time is measured in this process, peak memory in a fresh one for each length (`memory_analysis()`
leaves out much of what XLA's CPU client allocates). On a CPU the fused form is the literal einsums:
`jax.nn.dot_product_attention` has no kernel there, and its line says so.
"""

import time
from dataclasses import asdict

import jax
import jax.numpy as jnp

from benchmarks.child import attention_peaks
from benchmarks.fit import fitted_exponent
from benchmarks.measure import measure
from jaxgen.costs.count import CountError, count, xla_flops
from jaxgen.costs.equations import equation_costs
from jaxgen.equations.attention_forms import FORMS

HEADS, HEAD_SIZE = 4, 64
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
SHORT_LENGTHS = (64, 128)


def make_gradient(form: str):
    """Jitted: the gradients of the output's sum of squares by query, key and value."""

    def loss(query, key, value):
        return (FORMS[form](query, key, value) ** 2).sum()

    return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))


def run_attention(*, short: bool) -> tuple[list[dict], list[dict]]:
    """(rows, exponents) of every form and length, without ceilings yet."""
    rows, exponents = [], []
    lengths = SHORT_LENGTHS if short else LENGTHS
    for form in FORMS:
        found = [_row(form, length, short) for length in lengths]
        peaks = [attention_peaks(form, HEADS, HEAD_SIZE, lengths)] if short else [
            attention_peaks(form, HEADS, HEAD_SIZE, (length,)) for length in lengths
        ]  # fmt: skip
        for row in found:
            for kind in ("peak", "growth"):
                row[f"{kind}_bytes"] = next(
                    each[kind][str(row["value"])]
                    for each in peaks
                    if str(row["value"]) in each[kind]
                )
        rows += found
        for quantity, key in (("time", "median_seconds"), ("memory above idle", "growth_bytes")):
            # The upper half of the lengths: below it fixed costs hide the growth.
            tail = found if short else found[len(found) // 2 :]
            # At least a page: a short length may fit into memory that the idle process already holds.
            values = [max(4096, row[key]) if key == "growth_bytes" else row[key] for row in tail]
            p = fitted_exponent([row["value"] for row in tail], values)
            exponents.append(
                {"benchmark": f"attention {form}", "quantity": quantity, "over": "T", "p": p}
            )
    return rows, exponents


def _row(form: str, length: int, short: bool) -> dict:
    arrays = [
        jax.random.normal(jax.random.key(seed), (1, HEADS, length, HEAD_SIZE)) for seed in range(3)
    ]
    gradient = make_gradient(form)
    start = time.perf_counter()
    compiled = gradient.lower(*arrays).compile()
    compile_seconds = time.perf_counter() - start
    repetitions = 3 if short or length > 2048 else 7
    timing = measure(lambda: compiled(*arrays), repetitions, burn_in=1)
    sizes = {"B": HEADS, "T": length, "S": length, "H": HEAD_SIZE, "U": HEAD_SIZE}
    table = equation_costs("attention.scaled-dot-product", sizes)
    try:
        walk = count(gradient, *arrays).matmul_flops
    except CountError:  # a kernel for another platform, which this one only traces
        walk = None
    return {
        "benchmark": f"attention {form}", "case": f"T {length}", **asdict(timing),
        "compile_seconds": compile_seconds, "dtype": "float32", "sweep": "T", "value": length,
        "note": "literal einsums on a CPU" if form == "fused" and _on_cpu() else "",
        "mathematics_flops": table.matmul_flops, "walk_flops": walk,
        "xla_flops": xla_flops(gradient, *arrays),
        "least_bytes": table.least_bytes(),
        "xla_bytes": compiled.cost_analysis().get("bytes accessed"),
        "touched_bytes": 8 * sum(array.nbytes for array in arrays) // 3,
    }  # fmt: skip


def _on_cpu() -> bool:
    return jnp.zeros(()).devices().pop().platform == "cpu"


if __name__ == "__main__":
    from benchmarks.cli import main_one

    main_one("attention")
