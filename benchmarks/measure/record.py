"""What a benchmark writes: JSON with machine, versions and date; a Markdown table; ratios of two."""

import importlib.metadata
import json
import math
import os
import platform
import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from jaxgen.errors import UserError

SCHEMA = 1
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "jaxgen")


@dataclass
class Record:
    """The results of one or more benchmarks: rows, fitted exponents, and what went wrong."""

    ceilings: dict[str, Any]
    short: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    exponents: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Everything, with machine, versions and date."""
        return {
            "schema": SCHEMA, "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(), "versions": versions(), "short": self.short,
            "ceilings": self.ceilings, "rows": self.rows, "exponents": self.exponents,
            "errors": self.errors,
        }  # fmt: skip


def machine() -> dict[str, Any]:
    """The host and the device that jax uses."""
    device = jax.devices()[0]
    return {
        "platform": platform.platform(), "processor": _processor(), "cores": os.cpu_count(),
        "device_kind": device.device_kind, "backend": device.platform,
        "devices": jax.device_count(), "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }  # fmt: skip


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of Python and the packages that decide speed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def write(record: Record, path: Path) -> None:
    """JSON at path, and the Markdown table beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = record.to_json()
    path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown(values) + "\n", encoding="utf-8")


_COLUMNS = (  # heading, key, factor, format
    ("n", "n", 1, ",d"),
    ("ms", "median_seconds", 1e3, ".4g"),
    ("quartiles", None, 1e3, ".4g"),
    ("input ms", "input_seconds", 1e3, ".4g"),  # of a step's batch on the host, were it sent
    ("compile s", "compile_seconds", 1, ".2f"),
    ("MFLOP math", "mathematics_flops", 1e-6, ",.1f"),
    ("elementwise", "mathematics_elementwise_flops", 1e-6, ",.1f"),
    ("walk", "walk_flops", 1e-6, ",.1f"),
    ("XLA", "xla_flops", 1e-6, ",.1f"),
    ("MB least", "least_bytes", 1e-6, ",.2f"),
    ("MB XLA", "xla_bytes", 1e-6, ",.2f"),
    ("bound ms", "bound_seconds", 1e3, ".4g"),
    ("sum ms", "sum_seconds", 1e3, ".4g"),
    ("of bound", "fraction", 1, ".1%"),
    ("peak MiB", "peak_bytes", 2**-20, ",.0f"),
)


def markdown(values: dict[str, Any]) -> str:
    """The rows as a table, with what they were measured on and against."""
    machine_, versions_ = values["machine"], values["versions"]
    lines = [
        f"{values['date']}, {machine_['processor']} ({machine_['cores']} cores, load "
        f"{machine_['load']}), {machine_['devices']} x {machine_['device_kind']}, "
        f"jax {versions_['jax']}, Python {versions_['python']}"
        + (", --short" if values["short"] else ""),
        "",
        _ceilings(values["ceilings"]),
        "",
        *_summary(values["rows"]),
        "",
        LEGEND,
    ]
    for name in dict.fromkeys(row["benchmark"] for row in values["rows"]):
        lines += [
            "",
            f"## {name}",
            "",
            "| case | " + " | ".join(heading for heading, *_ in _COLUMNS) + " |",
            "| --- |" + " --: |" * len(_COLUMNS),
        ]
        for row in values["rows"]:
            if row["benchmark"] == name:
                cells = [row["case"], *(_cell(row, *column) for column in _COLUMNS)]
                lines.append("| " + " | ".join(cells) + " |")
    if values["exponents"]:
        lines += ["", "## How it grows", "", "Fitted exponents, y = c · x^p:", ""]
        lines += ["| benchmark | what | over | p |", "| --- | --- | --- | --: |"]
        for fit in values["exponents"]:
            lines.append(
                f"| {fit['benchmark']} | {fit['quantity']} | {fit['over']} | {fit['p']:.2f} |"
            )
    lines += ["", *(f"ERROR: {error}" for error in values["errors"])]
    return "\n".join(lines).rstrip()


LEGEND = (
    "ms: the median of n blocked repetitions, and its quartiles. Math: FLOPs of the matmuls and "
    "convolutions by the cost table, and elementwise ones; walk: the same counted in the program's "
    "jaxpr; XLA: by its own analysis, which counts a loop's body once. MB least: every input and result "
    "once; MB XLA: what the compiled program touches. Bound: the larger of FLOPs / ceiling and least "
    "bytes / bandwidth; sum: both one after the other; of bound: bound / measured, the fraction of the "
    "ceiling. Peak: of the process, above idle where a sweep shows it."
)


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each benchmark: its time, its bound, the fraction, what binds."""
    lines = ["## In short", ""]
    for name in dict.fromkeys(row["benchmark"] for row in rows):
        own = [row for row in rows if row["benchmark"] == name]
        whole = [row for row in own if row["case"] == "as trained"]
        for row in whole or ([own[0]] if len(own) == 1 else []):
            fraction = "a bound beaten" if row["fraction"] is None else f"{row['fraction']:.0%}"
            lines.append(
                f"- **{name}**: {1e3 * row['median_seconds']:.4g} ms a step, bound "
                f"{1e3 * row['bound_seconds']:.4g} ms: {fraction} of the ceiling; {row['binds']} binds."
            )
        known = [row for row in own if row["fraction"] is not None]
        if not whole and len(own) > 1 and known:
            best = max(known, key=lambda row: row["fraction"])
            middle = statistics.median(row["fraction"] for row in known)
            lines.append(
                f"- **{name}**: {len(own)} cases, half of them above {middle:.0%} of the ceiling; the "
                f"nearest {best['case'].split(' (')[0]}, {best['fraction']:.0%}; "
                f"{_binds(known)} binds."
            )
    return lines


def _binds(rows: list[dict[str, Any]]) -> str:
    """What binds all rows, or how many of them each."""
    found = Counter(row["binds"] for row in rows)
    if len(found) == 1:
        return next(iter(found))
    return " and ".join(f"{what} in {count}" for what, count in found.most_common()) + " cases"


def _ceilings(ceilings: dict[str, Any]) -> str:
    flops = ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in ceilings["flops_per_second"].items())
    stream = ", ".join(
        f"{v / 1e9:.1f} GB/s" + (f" at {int(k) / 2**20:.0f} MiB" if int(k) else "")
        for k, v in ceilings["bytes_per_second"].items()
    )
    return f"Ceilings ({ceilings['source']}): {flops}; {stream}."


def _cell(row: dict[str, Any], heading: str, key: str | None, factor: float, form: str) -> str:
    if key is None:
        low, high = row["low_seconds"] * factor, row["high_seconds"] * factor
        return f"{low:{form}} to {high:{form}}"
    value = row.get(key)
    return "-" if value is None else f"{value * factor:{form}}"


def read(path: Path) -> dict[str, Any]:
    """A result file; a UserError says what is wrong with it."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: give the JSON file of a benchmark.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise KeyError
        for needed in (
            values["date"],
            isinstance(values["short"], bool),
            *(row["median_seconds"] for row in values["rows"]),
        ):
            if not needed:
                raise KeyError
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not the JSON file of a benchmark: give one.") from None
    return values


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, float, float]]:
    """(benchmark, case, time ratio, peak memory ratio or NaN), second over first, of common cases."""
    known = {(row["benchmark"], row["case"]): row for row in first["rows"]}
    ratios = []
    for row in second["rows"]:
        before = known.get((row["benchmark"], row["case"]))
        if before is None:
            continue
        peaks = row.get("peak_bytes"), before.get("peak_bytes")
        memory = peaks[0] / peaks[1] if all(peaks) else math.nan
        ratio = row["median_seconds"] / before["median_seconds"]
        ratios.append((row["benchmark"], row["case"], ratio, memory))
    return ratios


def render_comparison(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The ratios as a Markdown table.

    Raises UserError where the files have no case in common, or one alone is of a short run, whose cases
    have the same names and other sizes.
    """
    if first["short"] != second["short"]:
        raise UserError("One file is of a --short run, the other is not: compare runs of one kind.")
    ratios = compare(first, second)
    if not ratios:
        raise UserError("The two files have no benchmark case in common: compare runs of the same.")
    lines = [
        f"Second ({second['date']}) over first ({first['date']}); below 1 the second is faster.",
        "",
        "| benchmark | case | time | peak memory |",
        "| --- | --- | --: | --: |",
    ]
    for benchmark, case, seconds, memory in ratios:
        peak = "-" if math.isnan(memory) else f"{memory:.3f}"
        lines.append(f"| {benchmark} | {case} | {seconds:.3f} | {peak} |")
    return "\n".join(lines)
