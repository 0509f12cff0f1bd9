"""The pictures of a result: each step under its roofline, and growth along each sweep."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_roofline(values: dict[str, Any], path: Path) -> None:
    """Achieved rate against FLOPs per byte, under the ceilings of float32."""
    ceilings = values["ceilings"]
    peak = ceilings["flops_per_second"]["float32"]
    stream = min(ceilings["bytes_per_second"].values())
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    rows = [row for row in values["rows"] if row["mathematics_flops"]]
    intensity = [row["mathematics_flops"] / row["least_bytes"] for row in rows]
    low, high = min(intensity) / 2, max([*intensity, peak / stream]) * 2
    knee = min(max(peak / stream, low), high)
    axes.loglog([low, knee, high], [low * stream / 1e9, knee * stream / 1e9, peak / 1e9], "k-")
    for name in dict.fromkeys(row["benchmark"] for row in rows):
        points = [
            (x, row["mathematics_flops"] / row["median_seconds"] / 1e9)
            for x, row in zip(intensity, rows, strict=True)
            if row["benchmark"] == name
        ]
        axes.loglog(*zip(*points, strict=True), "o", label=name)
    axes.set_xlabel("matmul FLOPs per least byte moved")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"Roofline, {ceilings['device_kind']} (largest arrays' bandwidth)")
    axes.legend(
        fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
    )  # beside: it hides nothing
    _save(figure, path)


def plot_sweeps(values: dict[str, Any], path: Path) -> None:
    """Time, and where it was measured peak memory, along every sweep."""
    rows = [row for row in values["rows"] if "sweep" in row]
    sweeps = list(dict.fromkeys(row["sweep"] for row in rows))
    if not sweeps:
        return
    has_memory = any("growth_bytes" in row for row in rows)
    columns = min(4, len(sweeps) + has_memory)
    lines = -(-(len(sweeps) + has_memory) // columns)
    figure = plt.figure(figsize=(4 * columns, 3.5 * lines), layout="constrained")
    quantities = [(sweep, "median_seconds", "seconds") for sweep in sweeps]
    if has_memory:
        quantities.append(("T", "growth_bytes", "peak bytes above idle"))
    for place, (sweep, key, label) in enumerate(quantities, start=1):
        axes = figure.add_subplot(lines, columns, place)
        for name in dict.fromkeys(row["benchmark"] for row in rows):
            line = [r for r in rows if r["benchmark"] == name and r["sweep"] == sweep and key in r]
            if line:
                axes.loglog(
                    [r["value"] for r in line], [max(1e-9, r[key]) for r in line], "o-", label=name
                )
        _tick_at(axes, {row["value"] for row in rows if row["sweep"] == sweep})
        axes.set_xlabel(sweep)
        axes.set_ylabel(label)
        axes.legend(fontsize="small")
    _save(figure, path)


def plot_aot_scaling(rows: list[dict[str, Any]], path: Path) -> None:
    """Estimated time and predicted MFU over chips, of what fits."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    fitting = [row for row in rows if row["estimated_seconds"] is not None]
    for name, growth in dict.fromkeys((row["experiment"], row["growth"]) for row in fitting):
        line = [r for r in fitting if (r["experiment"], r["growth"]) == (name, growth)]
        chips = [row["chips"] for row in line]
        left.loglog(
            chips, [row["estimated_seconds"] for row in line], "o-", label=f"{name}, {growth}"
        )
        right.semilogx(chips, [row["mfu"] for row in line], "o-")
    left.set_ylabel("estimated seconds a step (compiled, not run)")
    right.set_ylabel("predicted MFU")
    right.set_ylim(0, 1)
    for axes in (left, right):
        _tick_at(axes, {row["chips"] for row in rows})
        axes.set_xlabel("chips")
    if fitting:
        left.legend(fontsize="small")
    _save(figure, path)


def _tick_at(axes: Any, values: set[int]) -> None:
    """The sizes that were measured as ticks, in plain figures."""
    axes.set_xticks(sorted(values), [str(value) for value in sorted(values)], fontsize="small")
    axes.minorticks_off()


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
