"""`jaxgen adopt EXPERIMENT FILE ...`."""

import dataclasses
from pathlib import Path

from jaxgen.cli.parsing import flat_field, parse
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset


@dataclasses.dataclass(frozen=True)
class AdoptOptions:
    """Where the run is made."""

    runs: Path = Path("runs")
    """The directory that holds the runs."""
    name: str | None = None
    """The run's name in it; the experiment's where none is given."""


def adopt(args: list[str]) -> None:
    """Make a run of GPT-2's weights: jaxgen adopt gpt2-124m FILE.safetensors [FIELDS]."""
    prog = "jaxgen adopt"
    if len(args) < 2 or args[0].startswith("-"):
        raise UserError(f"Name an experiment and a file: {prog} gpt2-124m FILE.safetensors.")
    name, file, *flags = args
    preset = find_preset(name)
    parts = {"experiment": preset.experiment, "options": AdoptOptions()}
    fields = [(part, flat_field(value)) for part, value in parts.items()]
    flat = dataclasses.make_dataclass("Flags", fields)
    parsed = parse(flat, flags, f"{prog} {name} {file}", flat(**parts))
    prepare_process()
    from jaxgen import runner

    options = parsed.options
    run = options.name if options.name is not None else name
    print(runner.adopt(parsed.experiment, name, options.runs, run, Path(file)).folder)
