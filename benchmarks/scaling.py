"""How a step would scale over chips that are not there: fixed and growing global batch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import presets
from benchmarks.aot import compile_step, describe
from benchmarks.topology import num_chips
from jaxgen.errors import UserError

_HEADINGS = (
    "model", "batch", "chips", "global batch", "fits", "GB a chip", "estimated ms", "of it links",
    "bound ms", "predicted MFU", "compile s",
)  # fmt: skip


def run_scaling(options: Any, topology: Callable) -> None:
    """Compile every case, and write JSON after each, then the table and the plot."""
    rows = []
    for name in options.presets:
        for growth in ("fixed", "growing"):
            for slice_name in options.topologies:
                chips = num_chips(slice_name)
                batch = options.batch_size if growth == "fixed" else options.batch_per_chip * chips
                if batch % chips:
                    raise UserError(
                        f"{chips} chips do not divide --batch-size {batch}: give a multiple of {chips}."
                    )
                found = presets.find(name, batch, options.attention)
                result = compile_step(name, *found, topology(slice_name), parallel=options.parallel)
                print(describe(result), flush=True)
                rows.append(result.to_json() | {"growth": growth})
                _write(options.output, rows)
    print(markdown(rows))
    from benchmarks.plots import plot_aot_scaling

    plot_aot_scaling(rows, options.output.with_suffix(".svg"))


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
        "the collectives, without overlap. MFU by the jaxgen convention, of published bfloat16 peaks.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "| --- | --- |" + " --: |" * (len(_HEADINGS) - 2),
    ]
    for row in rows:
        cells = [row["experiment"], row["growth"], row["chips"], row["batch_size"]]
        cells += ["yes" if row["fits"] else "no", f"{row['bytes_per_chip'] / 1e9:.2f}"]
        if row["fits"]:
            cells += [
                f"{row['estimated_seconds'] * 1e3:.1f}",
                f"{row['collective_seconds'] * 1e3:.1f}",
            ]
        else:
            cells += ["-", "-"]
        cells.append(f"{row['bound_seconds'] * 1e3:.1f}")
        cells.append(f"{row['mfu']:.1%}" if row["fits"] else "-")
        cells.append(f"{row['compile_seconds']:.0f}")
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)
