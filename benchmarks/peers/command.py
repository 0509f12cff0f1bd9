"""The command `python -m benchmarks peers NAME`: our step's speed in that of PyTorch's same step."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.output import check_output
from benchmarks.peers import FAMILIES
from jaxgen.cli.parsing import parse
from jaxgen.devices.runtime import tune_allocator
from jaxgen.errors import UserError, check
from jaxgen.suggest import did_you_mean

SCHEMA = 1
THREADS = 2


@dataclass(frozen=True)
class Options:
    """Time our real steps and PyTorch's in turn, in one process, on two threads of the CPU."""

    bursts: int = 9
    """How often each side has its turn; medians and quartiles are over them."""
    seconds: float = 0.5
    """About how long a turn is; never less than one dispatch of ours, one step of theirs."""
    force: bool = False
    """Print what a disturbed machine gave too, marked as such."""
    json: Path | None = None
    """Also write the result to this file, and its table beside it as Markdown."""

    def __post_init__(self):
        check(self, "bursts", lambda x: x >= 2, "2 or more")
        check(self, "seconds", lambda x: 0 < x <= 60, "a number above 0, at most 60")


def peers(args: list[str]) -> None:
    """Compare with PyTorch: peers NAME, a family, one of its cases, or all."""
    if not args or args[0] in ("-h", "--help"):
        print(f"usage: python -m benchmarks peers NAME [--help]\n\nnames: {', '.join(_names())}")
        return
    name = args[0]
    cases = find_cases(name)
    options = parse(Options, args[1:], f"benchmarks peers {name}")
    if options.json is not None:
        check_output(options.json)
    require_torch()
    tuned = prepare()
    from benchmarks.measure.record import machine, versions
    from benchmarks.peers.side_by_side import measure

    rows, best = [], {}
    for family, case in cases:
        print(f"measuring {case} ...", file=sys.stderr, flush=True)
        rows.append(measure(family, case, options.bursts, options.seconds, best))
    values = {
        "schema": SCHEMA, "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions() | {name: version(name) for name in ("torch", "transformers")},
        "threads": THREADS, "allocator_tuned": tuned, "rows": rows,
    }  # fmt: skip
    report(values, options)


def find_cases(name: str) -> list[tuple[str, str]]:
    """(family, case) for each that is meant; a UserError where there is none of that name."""
    cases = [(family, case) for family, names in FAMILIES.items() for case in names]
    chosen = [(family, case) for family, case in cases if name in ("all", family, case)]
    if not chosen:
        raise UserError(f"There is no peer {name!r}; {did_you_mean(name, _names())}.")
    return chosen


def _names() -> list[str]:
    return [*(name for family, names in FAMILIES.items() for name in (family, *names)), "all"]


def require_torch() -> None:
    """Raise UserError where the extra, or the compiler that torch.compile starts, is not installed."""
    if (
        importlib.util.find_spec("torch") is None
        or importlib.util.find_spec("transformers") is None
    ):
        raise UserError(
            "The peers are written in PyTorch and transformers, which are not installed: install the "
            "extra by pip install 'jaxgen[peers]'."
        )
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UserError(
            f"torch.compile needs a C++ compiler, and there is no {compiler}: install one, or name "
            "it by $CXX."
        )


def prepare() -> bool:
    """The same for both sides: the allocator, before anything large is allocated, and two threads.

    XLA starts as many threads as the process may use cores. Returns whether the allocator was tuned.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores != THREADS:
        raise UserError(
            f"Both sides are to have {THREADS} threads, which {cores} cores do not give: take a "
            f"machine with {THREADS}, or Linux with more."
        )
    tuned = tune_allocator()
    import jax
    import torch

    if jax.default_backend() != "cpu":
        raise UserError("The peers are compared on the CPU: set JAX_PLATFORMS=cpu.")
    torch.set_num_threads(THREADS)
    return tuned


def report(values: dict[str, Any], options: Options) -> None:
    """Print the rows and write what was asked for; a UserError names those that are not shown.

    Rows of a disturbed machine are shown only by --force; with some held back no file is written.
    """
    refused = [] if options.force else [row for row in values["rows"] if row["disturbed"]]
    shown = values | {"rows": [row for row in values["rows"] if row not in refused]}
    text = markdown(shown)
    if shown["rows"]:
        print(text)
    if refused:
        causes = "; ".join(f"{row['case']}: {row['disturbed']}" for row in refused)
        raise UserError(
            f"The machine was disturbed ({causes}): quiet it and measure again, or see the figures "
            "by --force."
        )
    if options.json is not None:
        options.json.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
        options.json.with_suffix(".md").write_text(text + "\n", encoding="utf-8")


def markdown(values: Mapping[str, Any]) -> str:
    """The rows as a table, with what they were measured on."""
    where, which = values["machine"], values["versions"]
    tuned = "tuned" if values["allocator_tuned"] else "as it is"
    lines = [
        f"{values['date']}, {where['processor']}, {values['threads']} threads on each side, load "
        f"{where['load']}, allocator {tuned}; jax {which['jax']}, torch {which['torch']}.",
        "",
        "Milliseconds a step (of drawing: a token of each text), median (quartiles); speed is ours in "
        "that of PyTorch's faster side.",
        "",
        "| case | GFLOP | ours | eager | compiled | speed | losses differ, first, later "
        "| matmul GFLOP/s, before, after | |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --- |",
    ]
    for row in values["rows"]:
        times = {side: _spread(spread, 1e3) for side, spread in row["seconds"].items()}
        seconds = [times.pop(side, "-") for side in ("ours", "eager", "compiled")]
        differ = f"{row['first_difference']:.0e}, {row['later_difference']:.0e}"
        matmul = "; ".join(
            f"{name} {each['before'] / 1e9:.0f}, {each['after'] / 1e9:.0f}"
            for name, each in row["matmul_flops_per_second"].items()
        )
        notes = [f"ours {side} {time}" for side, time in times.items()]
        notes += [f"DISTURBED: {row['disturbed']}"] if row["disturbed"] else []
        cells = [
            row["case"], f"{row['matmul_flops'] / 1e9:.3g}", *seconds, _spread(row["speed"], 1),
            differ, matmul, "; ".join(notes),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(spread: Mapping[str, float], factor: float) -> str:
    median, low, high = (spread[name] * factor for name in ("median", "low", "high"))
    return f"{median:.3g} ({low:.3g} to {high:.3g})"
