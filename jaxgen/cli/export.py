"""`jaxgen export RUN FILE`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from jaxgen.cli.parsing import parse
from jaxgen.cli.saved import names_a_checkpoint, require_run, run_folder
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import check


@dataclass(frozen=True)
class ExportOptions:
    """Write a run's parameters as safetensors, under the names that others know them by."""

    run: tyro.conf.Positional[str]
    """The run directory."""
    file: tyro.conf.Positional[Path]
    """The file to write."""
    checkpoint: str = "latest"
    """Which checkpoint: latest, best (by the experiment's held-out metric) or its step."""

    def __post_init__(self):
        check(self, "checkpoint", names_a_checkpoint, "latest, best or a step")


def export(args: list[str]) -> None:
    """Write a run's weights in GPT-2's names: jaxgen export RUN FILE.safetensors."""
    if "-h" not in args and "--help" not in args:
        require_run(args, "jaxgen export")
    options = parse(ExportOptions, args, "jaxgen export")
    prepare_process()
    from jaxgen import reader

    reader.export(reader.load_run(run_folder(options.run)), options.file, options.checkpoint)
    print(options.file)
