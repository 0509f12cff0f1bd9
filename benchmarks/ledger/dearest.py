"""`python -m benchmarks dearest NAME`: where a step's time goes, operation by operation.

The operations are those of the compiled program, after fusion, as the device's own trace has them;
beside them stand the rows of the cost table, by their share of the FLOPs.
"""

import gzip
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.select import find_experiment
from jaxgen.cli.parsing import parse
from jaxgen.devices.runtime import tune_allocator
from jaxgen.errors import check

CONTAINERS = ("while", "call", "conditional")  # their time is that of what they hold


@dataclass(frozen=True)
class DearestOptions:
    """Print a step's dearest operations beside the rows of its cost table."""

    name: tyro.conf.Positional[str]
    """An experiment."""
    count: int = 10
    """How many of each."""

    def __post_init__(self):
        check(self, "count", lambda x: x >= 1, "1 or more")


def dearest(args: list[str]) -> None:
    """The command."""
    options = parse(DearestOptions, args, "benchmarks dearest")
    tune_allocator()
    print(report(options.name, options.count))


def report(name: str, count: int = 10) -> str:
    """Both tables of an experiment, as Markdown."""
    import jax
    import numpy as np

    from jaxgen import runner

    experiment = find_experiment(name)
    data, steps = experiment.load(), min(10, experiment.steps_per_dispatch)
    task, order, plan, state, _ = runner.prepare(experiment, data)
    arrays, trips = plan.put_arrays(data.train.arrays), np.int32(steps)
    indices = order.indices_for(0, steps)
    dispatch: Any = plan.dispatch(task.step, data.train.take, steps, state)
    compiled = dispatch.lower(state, arrays, indices, trips).compile()
    kept = [state]

    def call():
        kept[0], found = compiled(kept[0], arrays, indices, trips)
        return jax.block_until_ready(found)

    call()  # nothing of a first call is meant
    seconds = operations_of(call)
    total = sum(seconds.values())
    sources = sources_of(compiled.as_text())
    lines = [
        f"{name}: {1e3 * total / steps:.4g} ms of operations a step, over all threads",
        "",
        "| ms a step | share | operation | of |",
        "| --: | --: | --- | --- |",
    ]
    for operation, value in seconds.most_common(count):
        of = sources.get(operation, "")
        lines.append(f"| {1e3 * value / steps:.4g} | {value / total:.1%} | {operation} | {of} |")
    table = experiment.costs(data.spec)
    rows = sorted(table.rows, key=lambda row: -row.flops())[:count]
    lines += ["", "| MFLOP a step | share | row of the cost table |", "| --: | --: | --- |"]
    for row in rows:
        flops = row.flops()
        lines.append(f"| {flops / 1e6:,.2f} | {flops / table.flops():.1%} | {row.name} |")
    return "\n".join(lines)


def operations_of(call: Callable[[], Any]) -> Counter[str]:
    """Seconds of each operation in a call, by its name in the compiled program."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            call()
        (file,) = Path(folder).rglob("perfetto_trace.json.gz")
        with gzip.open(file) as stream:
            events = json.load(stream)["traceEvents"]
    found: Counter[str] = Counter()
    for event in events:
        name = event.get("args", {}).get("hlo_op")
        if event.get("ph") == "X" and name and not name.startswith(CONTAINERS):
            found[name] += event["dur"] * 1e-6
    return found


def sources_of(text: str) -> dict[str, str]:
    """What in Python each operation of a compiled program comes from, as far as XLA keeps it."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*(?:ROOT )?%?([\w.-]+) = .*op_name=\"([^\"]+)\"", line)
        if match:
            path = [part for part in match[2].split("/") if not part.startswith(("jit(", "while"))]
            found[match[1]] = "/".join(part for part in path if part not in ("body", "closed_call"))
    return found
