"""`python -m benchmarks.ledger.attention`: the three forms of attention over T, forward and backward.

Each with every key seen, and causal. Time is measured in this process, peak memory in a fresh one for
each length (`memory_analysis()` leaves out much of what XLA's CPU client allocates): the process's on a
CPU, the device's on an accelerator. On a CPU the fused
form is the literal einsums: `jax.nn.dot_product_attention` has no kernel there, and its line says so.

The mathematics of causal attention is T·(T + 1)/2 pairs; the walk shows what a form computes of them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.ledger.equations import costs, measured, with_gradients
from benchmarks.measure.child import forget_peak, memory, run
from benchmarks.measure.fit import fitted_exponent
from jaxgen.catalog import EQUATIONS
from jaxgen.catalog.attention import causal_attention_costs
from jaxgen.equations.attention_forms import FORMS

HEADS, HEAD_SIZE = 4, 64
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
SHORT_LENGTHS = (64, 128)


def make_program(form: str, causal: bool) -> Callable:
    """({query, key, value}, gradient of the output) -> (output, its gradients)."""
    return with_gradients(lambda **arrays: FORMS[form](**arrays, causal=causal))


def arguments(heads: int, length: int, head_size: int) -> tuple[dict[str, jax.Array], jax.Array]:
    """Normal numbers for `make_program`, one batch of heads."""
    keys = jax.random.split(jax.random.key(0), 4)
    *arrays, gradient = (jax.random.normal(key, (1, heads, length, head_size)) for key in keys)
    return dict(zip(("query", "key", "value"), arrays, strict=True)), gradient


def run_attention(*, short: bool) -> tuple[list[dict], list[dict]]:
    """(rows, exponents) of every form and length, without ceilings yet."""
    rows, exponents = [], []
    for causal in (False, True):
        for form in FORMS:
            found = _rows(form, causal, short)
            rows += found
            exponents += _exponents(found, short)
    return rows, exponents


def _rows(form: str, causal: bool, short: bool) -> list[dict[str, Any]]:
    lengths = SHORT_LENGTHS if short else LENGTHS
    found = [_row(form, causal, length, short) for length in lengths]
    together = (lengths,) if short else [(length,) for length in lengths]
    for each in together:
        peaks = run(__name__, "peaks", form, int(causal), HEADS, HEAD_SIZE, *each)
        for row in found:
            if row["value"] in each:
                row["peak_bytes"] = peaks["peak"][str(row["value"])]
                row["growth_bytes"] = peaks["growth"][str(row["value"])]
    return found


def _row(form: str, causal: bool, length: int, short: bool) -> dict[str, Any]:
    sizes = {"B": HEADS, "T": length, "S": length, "H": HEAD_SIZE, "U": HEAD_SIZE}
    whole = EQUATIONS["attention.scaled-dot-product"]
    table = causal_attention_costs(sizes) if causal else whole.costs(sizes)
    repetitions = 3 if short or length > 2048 else 7
    given = arguments(HEADS, length, HEAD_SIZE)
    return {
        "benchmark": f"attention {form}{', causal' if causal else ''}", "case": f"T {length}",
        "sweep": "T", "value": length,
        "note": "literal einsums on a CPU" if form == "fused" and _on_cpu() else "",
        **measured(make_program(form, causal), given, repetitions), **costs(table),
    }  # fmt: skip


def _exponents(rows: list[dict], short: bool) -> list[dict[str, Any]]:
    # The upper half of the lengths: below it fixed costs hide the growth.
    tail = rows if short else rows[len(rows) // 2 :]
    lengths = [row["value"] for row in tail]
    # At least a page: a short length may fit into memory that the idle process already holds.
    quantities = {
        "time": [row["median_seconds"] for row in tail],
        "memory above idle": [max(4096, row["growth_bytes"]) for row in tail],
    }
    return [
        {"benchmark": tail[0]["benchmark"], "quantity": quantity, "over": "T",
         "p": fitted_exponent(lengths, values)}
        for quantity, values in quantities.items()
    ]  # fmt: skip


def _on_cpu() -> bool:
    return jnp.zeros(()).devices().pop().platform == "cpu"


def peaks(form: str, causal: str, heads: str, head_size: str, *lengths: str) -> dict:
    """Bytes by length: {"peak": {T: peak}, "growth": {T: peak above what the idle process holds}}.

    Of one forward and backward evaluation in a process of its own; lengths ascend.
    """
    program = jax.jit(make_program(form, causal == "1"))
    # Threads, pools and the like are there before anything is counted.
    jax.block_until_ready(program(*arguments(1, 8, 8)))
    peak, growth = {}, {}
    for length in map(int, lengths):
        sizes = (int(heads), length, int(head_size))
        shapes = jax.eval_shape(lambda sizes=sizes: arguments(*sizes))
        compiled = program.lower(*shapes).compile()
        idle = memory("VmRSS")
        forget_peak()
        given = arguments(*sizes)
        jax.block_until_ready(compiled(*given))
        peak[length] = memory("VmHWM")
        growth[length] = peak[length] - idle
        del given
    return {"peak": peak, "growth": growth}
