"""`python -m benchmarks results [NAME ...]`: train presets to their end, keep what they reach."""

import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro

from benchmarks.output import RESULTS
from jaxgen.cli.parsing import parse
from jaxgen.experiments.registry import experiment_names, find_preset

QUALITY = RESULTS / "quality.json"
SCHEMA = 1


@dataclass(frozen=True)
class ResultOptions:
    """Train presets to their end and keep the metrics that they reach, beside what they promise."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which; all that are for this kind of machine where none is given."""
    seeds: tuple[int, ...] = (0,)
    """One run each."""
    output: Path = QUALITY
    """Results of other presets and seeds that are there stay."""


def results(args: list[str]) -> None:
    """The command; ends with status 1 where a preset misses what it promises."""
    options = parse(ResultOptions, args, "benchmarks results")
    names = options.names or [n for n in experiment_names() if find_preset(n).minutes is not None]
    presets = {name: find_preset(name) for name in names}
    missed = []
    for name, preset in presets.items():
        for seed in options.seeds:
            found = reach(name, replace(preset.experiment, seed=seed))
            keep(options.output, name, seed, found)
            for metric, expected in preset.expected.items():
                value = found["metrics"][metric]
                fits = abs(value - expected.value) <= expected.tolerance
                promise = f"{expected.value:g} ± {expected.tolerance:g}"
                print(
                    f"{name} seed {seed}: {metric} {value:.4g} ({promise}), {found['seconds']:.0f} s"
                )
                missed += [] if fits else [f"{name} seed {seed} misses {metric}"]
    if missed:
        sys.exit("; ".join(missed))


def reach(name: str, experiment: Any) -> dict[str, Any]:
    """Train in a directory of its own; the last held-out metrics, time and circumstances."""
    from benchmarks.measure.record import machine, versions
    from jaxgen import runner
    from jaxgen.devices.runtime import prepare_process
    from jaxgen.runs.log import read_metrics

    prepare_process()
    with tempfile.TemporaryDirectory() as root:
        for beneath in experiment.stands_on.values():  # the runs that it needs, of those presets
            runner.start(find_preset(beneath.run).experiment, beneath.run, Path(root), beneath.run)
        start = time.perf_counter()
        run = runner.start(experiment, name, Path(root), name)
        seconds = time.perf_counter() - start
        last = read_metrics(run.metrics)[-1]
    metrics = {key: value for key, value in last.items() if key.startswith("eval/")}
    return {
        "metrics": metrics, "seconds": round(seconds, 1), "steps": last["step"],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(), "versions": versions(),
    }  # fmt: skip


def keep(path: Path, name: str, seed: int, found: dict[str, Any]) -> None:
    """Put one run's result into the file."""
    known = json.loads(path.read_text()) if path.exists() else {"schema": SCHEMA, "results": {}}
    known["results"].setdefault(name, {})[str(seed)] = found
    known["results"] = dict(sorted(known["results"].items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def markdown(values: dict[str, Any]) -> str:
    """The file as a table: a line for each metric that a preset promises, a number for each seed.

    Seconds are those of the quickest seed.
    """
    lines = [
        "| experiment | held-out metric | promised | reached | seconds |",
        "| --- | --- | --: | --: | --: |",
    ]
    for name, runs in values["results"].items():
        expected = find_preset(name).expected
        of_seeds = [runs[seed] for seed in sorted(runs, key=int)]
        # Of the least disturbed run: what else a machine has to do only adds to it.
        seconds = min(run["seconds"] for run in of_seeds)
        for metric, promise in expected.items():
            reached = ", ".join(f"{run['metrics'][metric]:.4g}" for run in of_seeds)
            lines.append(
                f"| `{name}` | {metric.removeprefix('eval/')} | {promise.value:g} ± "
                f"{promise.tolerance:g} | {reached} | {seconds:.0f} |"
            )
    return "\n".join(lines) + "\n"
