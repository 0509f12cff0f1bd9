"""How a step would scale over chips that are not there: fixed and growing global batch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import select
from benchmarks.aot.compile import compile_step, describe
from benchmarks.aot.topology import num_chips
from jaxgen.errors import UserError

SPLIT = {"gpt2-124m": "data", "gpt3-1.3b": "fsdp"}
"""The axis of the mesh that all chips go to: a state that fits a chip is copied, a larger one split."""

PER_CHIP = {"gpt2-124m": 4}
"""Sequences that a chip of 16 GB holds the activations of; one where none is given."""

_HEADINGS = (
    "model", "batch", "chips", "split", "global batch", "in pieces", "fits", "GB a chip",
    "estimated ms", "of it links", "bound ms", "predicted MFU", "compile s",
)  # fmt: skip


def run_scaling(options: Any, topology: Callable) -> None:
    """Compile every case, and write JSON after each, then the table and the plot.

    All cases are looked at before the first is compiled: a mistake in the last costs no hour.
    """
    cases = [
        (name, growth, slice_name, _case(name, growth, num_chips(slice_name), options))
        for name in options.experiments
        for growth in ("fixed", "growing")
        for slice_name in options.topologies
    ]
    for name in options.experiments:
        select.find(name, attention=options.attention)
    rows = []
    for name, growth, slice_name, case in cases:
        found = select.find(name, attention=options.attention, **case)
        mesh = f"{SPLIT.get(name, 'data')}={num_chips(slice_name)}"
        result = compile_step(name, *found, topology(slice_name), mesh=mesh)
        print(describe(result), flush=True)
        rows.append(result.to_json() | {"growth": growth})
        _write(options.output, rows)
    print(markdown(rows))
    from benchmarks.measure.plots import plot_aot_scaling

    plot_aot_scaling(rows, options.output.with_suffix(".svg"))


def _case(name: str, growth: str, chips: int, options: Any) -> dict[str, int]:
    """Global batch and the pieces it is taken in: never more at once than a chip is to hold."""
    per_chip = options.batch_per_chip or PER_CHIP.get(name, 1)
    if growth == "growing":
        return {"batch_size": per_chip * chips, "accumulate": 1}
    batch = options.batch_size
    if batch % chips or (batch > per_chip * chips and batch % (per_chip * chips)):
        raise UserError(
            f"--batch-size {batch} is not a multiple of {chips} chips times --batch-per-chip "
            f"{per_chip}: change one of them."
        )
    return {"batch_size": batch, "accumulate": max(1, batch // (per_chip * chips))}


def _write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"kind": "compiled, not run", "rows": rows}, indent=1) + "\n", "utf-8"
    )
    path.with_suffix(".md").write_text(markdown(rows) + "\n", "utf-8")


def markdown(rows: list[dict]) -> str:
    """The table: one row a model, growth and number of chips."""
    lines = [
        "Compiled by the TPU compiler, not run. Estimated: the compiler's cycles and the least time of "
        "the collectives, without overlap. MFU by the jaxgen convention, of published bfloat16 peaks; "
        "the bound is of all that is computed, recomputation included. No estimate where loops are of "
        "unknown length.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "| --- | --- | --: | --- |" + " --: |" * (len(_HEADINGS) - 4),
    ]
    for row in rows:
        cells = [row["experiment"], row["growth"], row["chips"]]
        cells += [row["parallel"].split()[-1], row["batch_size"], row["accumulate"]]
        cells += ["yes" if row["fits"] else "no", f"{row['bytes_per_chip'] / 1e9:.2f}"]
        if row["estimated_seconds"] is not None:
            cells += [
                f"{row['estimated_seconds'] * 1e3:.1f}",
                f"{row['collective_seconds'] * 1e3:.1f}",
            ]
        else:
            cells += ["-", "-"]
        cells.append(f"{row['bound_seconds'] * 1e3:.1f}")
        cells.append(f"{row['mfu']:.1%}" if row["mfu"] is not None else "-")
        cells.append(f"{row['compile_seconds']:.0f}")
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)
