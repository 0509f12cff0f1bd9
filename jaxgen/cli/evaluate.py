"""`jaxgen evaluate RUN ...`."""

import json
from dataclasses import dataclass

import tyro

from jaxgen.cli.parsing import parse
from jaxgen.cli.saved import names_a_checkpoint, require_run, run_folder
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import check


@dataclass(frozen=True)
class EvaluateOptions:
    """Judge a run on its held-out data."""

    run: tyro.conf.Positional[str]
    """The run directory."""
    json: bool = False
    """Print one JSON object."""
    checkpoint: str = "latest"
    """Which checkpoint: latest, best (by the experiment's held-out metric) or its step."""

    def __post_init__(self):
        check(self, "checkpoint", names_a_checkpoint, "latest, best or a step")


def evaluate(args: list[str]) -> None:
    """Print a run's held-out metrics: jaxgen evaluate RUN [--json]."""
    if "-h" not in args and "--help" not in args:
        require_run(args, "jaxgen evaluate")
    options = parse(EvaluateOptions, args, "jaxgen evaluate")
    prepare_process()
    from jaxgen import reader

    metrics = reader.judge(reader.load_run(run_folder(options.run)), options.checkpoint)
    if options.json:
        print(json.dumps(metrics))
        return
    width = max(28, *map(len, metrics))
    for name, value in metrics.items():
        print(f"{name:<{width}} {value:.6g}")
