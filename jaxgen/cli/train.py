"""`python train.py EXPERIMENT ...`, `jaxgen train EXPERIMENT ...`."""

import contextlib
import dataclasses

from jaxgen.cli.parsing import flat_field, parse, parse_known, print_list
from jaxgen.devices.processes import JobOptions, is_main, join
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset, summaries
from jaxgen.families.base import Experiment
from jaxgen.runs.options import RunOptions
from jaxgen.runs.run import refuse_existing, run_path


def train(args: list[str], prog: str = "train.py") -> None:
    """Train an experiment, or list the experiments."""
    if not args or args[0] in ("-h", "--help"):
        print(f"usage: {prog} EXPERIMENT [--help] [FIELDS], or {prog} --resume NAME\n")
        print_list(summaries(), 20)
        print(
            "\nEach is documented by its --help; what is trained is drawn from by jaxgen sample RUN."
        )
        return
    name = None if args[0].startswith("-") else args[0]
    flags = args[name is not None :]
    preset = find_preset(name) if name else None
    wanted = [flag for flag in flags if flag not in ("-h", "--help")]
    options, _ = parse_known(RunOptions, wanted, prog)
    if options.resume is not None:
        _resume(options.resume, name, flags, options, prog)
        return
    if name is None or preset is None:
        raise UserError(f"Name an experiment first, as in {prog} vae-digits: {prog} lists them.")
    experiment, job = _parse_run(preset.experiment, preset.describe(name), flags, f"{prog} {name}")
    run_name = options.name if options.name is not None else name
    refuse_existing(run_path(options.runs, run_name))  # before the seconds that a start takes
    steps = f"{experiment.steps} steps, into {options.runs / run_name}"
    _start_process(options, job, f"{name}: {preset.summary} {steps}")
    from jaxgen import runner

    devices = runner.Devices(options.parallel, options.mesh, options.feed)
    run = runner.start(
        experiment, name, options.runs, run_name, devices, options.guards, options.origin
    )
    if is_main():
        print(run.folder)


def _resume(
    run_name: str, name: str | None, flags: list[str], options: RunOptions, prog: str
) -> None:
    from jaxgen import reader, runner

    saved = reader.load_run(run_path(options.runs, run_name))
    if name not in (None, saved.name):
        raise UserError(
            f"{saved.run.folder} is a run of {saved.name}, not of {name}: leave it out."
        )
    if options.name not in (None, run_name):
        raise UserError(f"--name {options.name} is not the run that --resume names: leave it out.")
    experiment, job = _parse_run(saved.experiment, f"Go on with {run_name}.", flags, prog)
    _start_process(options, job, f"going on with {saved.run.folder}, a run of {saved.name}")
    devices = runner.Devices(options.parallel, options.mesh, options.feed)
    run = runner.resume(saved, experiment, devices, options.guards)
    if is_main():
        print(run.folder)


def _parse_run(experiment: Experiment, about: str, flags: list[str], prog: str):
    """(experiment, job) from one flat set of flags, which holds the RunOptions too."""
    parts = {"experiment": experiment, "options": RunOptions(), "job": JobOptions()}
    fields = [(name, flat_field(part)) for name, part in parts.items()]
    flat = dataclasses.make_dataclass("Flags", fields, namespace={"__doc__": about})
    parsed = parse(flat, flags, prog, flat(**parts))
    return parsed.experiment, parsed.job


def _start_process(options: RunOptions, job: JobOptions, about: str) -> None:
    """What a run needs before its first computation: memory, cache, and the other processes."""
    line = prepare_process(options.tune_allocator)
    join(job)
    if is_main():
        with contextlib.suppress(BrokenPipeError):  # a run goes on when nobody looks any more
            print(about, line, sep="\n", flush=True)
