"""The pictures of a result: each step under its roofline, and growth along each sweep."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_roofline(values: dict[str, Any], path: Path) -> None:
    """Achieved rate against FLOPs per byte, under the ceilings of float32; what has no matmul beside it.

    That is set against the bandwidth alone. Named are the points of the steps as they are trained.
    """
    ceilings = values["ceilings"]
    peak = ceilings["flops_per_second"]["float32"]
    stream = min(ceilings["bytes_per_second"].values())
    products = [row for row in values["rows"] if row["mathematics_flops"]]
    others = [row for row in values["rows"] if not row["mathematics_flops"]]
    figure, axes = plt.subplots(
        1, 2, figsize=(12, 5), layout="constrained", width_ratios=(3, 1), squeeze=False
    )
    left, right = axes[0]
    if products:
        _draw_roofline(left, products, peak, stream)
    left.set_title(f"Roofline, {ceilings['device_kind']} (largest arrays' bandwidth)")
    _draw_bandwidth(right, others, ceilings["bytes_per_second"])
    if products:  # beneath: it hides nothing
        figure.legend(fontsize=7, loc="outside lower center", ncols=5)
    _save(figure, path)


def _draw_roofline(axes: Any, rows: list[dict[str, Any]], peak: float, stream: float) -> None:
    intensity = [row["mathematics_flops"] / row["least_bytes"] for row in rows]
    low, high = min(intensity) / 2, max([*intensity, peak / stream]) * 2
    knee = min(max(peak / stream, low), high)
    axes.loglog([low, knee, high], [low * stream / 1e9, knee * stream / 1e9, peak / 1e9], "k-")
    axes.annotate(
        f"{peak / 1e9:,.0f} GFLOP/s", (high, peak / 1e9), ha="right", va="bottom", fontsize="small"
    )
    axes.annotate(
        f"{stream / 1e9:,.0f} GB/s", (low, low * stream / 1e9), ha="left", va="top",
        xytext=(6, -2), textcoords="offset points", fontsize="small",
    )  # fmt: skip
    for name in dict.fromkeys(row["benchmark"] for row in rows):
        points = [
            (x, row["mathematics_flops"] / row["median_seconds"] / 1e9, row["case"])
            for x, row in zip(intensity, rows, strict=True)
            if row["benchmark"] == name
        ]
        axes.loglog([x for x, *_ in points], [y for _, y, _ in points], "o", ms=4, label=name)
        for x, y, case in points:
            if case == "as trained":
                axes.annotate(name, (x, y), xytext=(5, -9), textcoords="offset points", fontsize=7)
    axes.set_xlabel("matmul FLOPs per least byte moved")
    axes.set_ylabel("GFLOP/s")


def _draw_bandwidth(axes: Any, rows: list[dict[str, Any]], ceilings: dict[str, float]) -> None:
    """What computes no product moves bytes: least bytes over the measured time, beside the ceilings."""
    rates = sorted((row["least_bytes"] / row["median_seconds"] / 1e9, row["case"]) for row in rows)
    axes.barh(range(len(rates)), [rate for rate, _ in rates])
    axes.set_yticks(range(len(rates)), [case.split(" (")[0] for _, case in rates], fontsize=6)
    if rates:
        ceiling = min(ceilings.values()) / 1e9
        axes.axvline(ceiling, color="k")
        axes.annotate(
            f"{ceiling:,.0f} GB/s",
            (ceiling, 0),
            rotation=90,
            ha="right",
            va="bottom",
            fontsize="small",
        )
    axes.set_xlabel("least bytes / time, GB/s")
    axes.set_title("Without matmul", fontsize="medium")


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
            if not line:
                continue
            sizes = [r["value"] for r in line]
            (drawn,) = axes.loglog(sizes, [max(1e-9, r[key]) for r in line], "o-", label=name)
            if key == "median_seconds":  # the bound in the same colour
                bounds = [r["bound_seconds"] for r in line]
                axes.loglog(sizes, bounds, ":", color=drawn.get_color(), lw=1)
        _tick_at(axes, {row["value"] for row in rows if row["sweep"] == sweep})
        axes.set_xlabel(sweep)
        axes.set_ylabel(label)
        axes.legend(fontsize="small")
    figure.suptitle("Measured, and dotted the bound", fontsize="medium")
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
        first = line[0]
        if growth == "fixed":  # twice the chips, half the time
            ideal = [first["estimated_seconds"] * first["chips"] / chip for chip in chips]
        else:  # more work with more chips, the same time
            ideal = [first["estimated_seconds"]] * len(chips)
        left.loglog(chips, ideal, "k:", lw=0.8)
    left.set_ylabel("estimated seconds a step (compiled, not run)")
    right.set_ylabel("predicted MFU")
    right.set_ylim(0, 1.15 * max((row["mfu"] for row in fitting), default=1.0))
    for name, growth in dict.fromkeys((row["experiment"], row["growth"]) for row in fitting):
        first = next(r for r in fitting if (r["experiment"], r["growth"]) == (name, growth))
        right.axhline(first["mfu"], color="k", ls=":", lw=0.8)
    left.set_title("dotted: ideal", fontsize="small")
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
