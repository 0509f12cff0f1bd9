"""The commands `python train.py ...` and `jaxgen ...`. jax is imported only by those that compute."""

import dataclasses
import errno
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.errors import Interrupted, UserError, check, printable
from jaxgen.experiments.base import Experiment
from jaxgen.experiments.registry import experiment_names, find_experiment, summary
from jaxgen.parsing import parse, parse_known
from jaxgen.training.config import RunOptions
from jaxgen.training.distributed import JobOptions, is_main, join, leave
from jaxgen.training.runtime import prepare_process

Flat = tyro.conf.arg(name="")  # a nested dataclass whose flags have no prefix


def main() -> None:
    """The command `jaxgen`."""
    run_command(_main, sys.argv[1:])


def main_train() -> None:
    """The command `python train.py`."""
    run_command(train, sys.argv[1:])


def run_command(command: Callable[[list[str]], None], args: list[str]) -> None:
    """Run a command; a UserError becomes its sentence and status 2, an interruption status 130.

    A process of a job that has several leaves it here, so that it keeps no other waiting.
    """
    status = 0
    try:
        command(args)
    except UserError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        status = 2
    except (Interrupted, KeyboardInterrupt) as interruption:
        print(str(interruption) or "interrupted", file=sys.stderr)
        status = 130
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: The disk is full ({error.filename}): make room.", file=sys.stderr)
        status = 2
    leave(status)


def _main(args: list[str]) -> None:
    commands = {
        "train": train, "sample": sample, "evaluate": evaluate, "equations": equations, "demo": demo,
    }  # fmt: skip
    if not args or args[0] in ("-h", "--help"):
        print("usage: jaxgen COMMAND ...\n")
        for name, command in commands.items():
            print(f"  {name:<10} {command.__doc__.splitlines()[0]}")
        return
    if args[0] not in commands:
        raise UserError(f"There is no command {args[0]!r}; known are {', '.join(commands)}.")
    commands[args[0]](args[1:])


def train(args: list[str], prog: str = "train.py") -> None:
    """Train an experiment, or list the experiments."""
    if not args or args[0] in ("-h", "--help"):
        print(f"usage: {prog} EXPERIMENT [--help] [FIELDS], or {prog} --resume NAME\n")
        for name in experiment_names():
            print(f"  {name:<14} {summary(name)}")
        return
    name = None if args[0].startswith("-") else args[0]
    flags = args[name is not None :]
    cls = find_experiment(name) if name else None
    wanted = [flag for flag in flags if flag not in ("-h", "--help")]
    options, _ = parse_known(RunOptions, wanted, prog)
    if options.resume is not None:
        _resume(name, flags, options, prog)
        return
    if cls is None:
        raise UserError(f"Name an experiment first: {', '.join(experiment_names())}.")
    experiment, job = _parse_run(cls, flags, f"{prog} {name}", cls())
    _start_process(options, job)
    from jaxgen import runner

    run_name = options.name if options.name is not None else name
    devices = runner.Devices(options.parallel, options.mesh)
    run = runner.start(experiment, name, options.runs, run_name, devices)
    if is_main():
        print(run.folder)


def _resume(name: str | None, flags: list[str], options: RunOptions, prog: str) -> None:
    from jaxgen import runner
    from jaxgen.training.run import run_path

    saved = runner.load_run(run_path(options.runs, options.resume))
    if name not in (None, saved.name):
        raise UserError(
            f"{saved.run.folder} is a run of {saved.name}, not of {name}: leave it out."
        )
    if options.name not in (None, options.resume):
        raise UserError(f"--name {options.name} is not the run that --resume names: leave it out.")
    experiment, job = _parse_run(type(saved.experiment), flags, prog, saved.experiment)
    _start_process(options, job)
    devices = runner.Devices(options.parallel, options.mesh)
    run = runner.resume(saved, experiment, devices)
    if is_main():
        print(run.folder)


def _parse_run(cls: type, flags: list[str], prog: str, experiment: Experiment):
    """(experiment, job) from one flat set of flags, which holds the RunOptions too."""
    parts = {"experiment": experiment, "options": RunOptions(), "job": JobOptions()}
    fields = [(name, Annotated[type(part), Flat]) for name, part in parts.items()]
    flat = dataclasses.make_dataclass("Flags", fields, namespace={"__doc__": cls.__doc__})
    parsed = parse(flat, flags, prog, flat(**parts))
    return parsed.experiment, parsed.job


def _start_process(options: RunOptions, job: JobOptions) -> None:
    """What a run needs before its first computation: memory, cache, and the other processes."""
    line = prepare_process(options.tune_allocator)
    join(job)
    if is_main():
        print(line, flush=True)


def sample(args: list[str]) -> None:
    """Draw more samples from a run: jaxgen sample RUN [--seed N] [...]."""
    prog = "jaxgen sample"
    if not args or args[0].startswith("-"):
        raise UserError(
            f"Name a run directory first: {prog} RUN; {prog} RUN --help lists the fields."
        )
    prepare_process()
    from jaxgen import runner

    saved = runner.load_run(_run_folder(args[0]))
    sampling = saved.experiment.sampling
    fields = [
        ("seed", int, 0), ("checkpoint", str, "latest"),
        ("sampling", Annotated[type(sampling), Flat], sampling),
    ]  # fmt: skip
    flags = parse(dataclasses.make_dataclass("Sample", fields), args[1:], f"{prog} {args[0]}")
    check(flags, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")
    check(flags, "checkpoint", _names_a_checkpoint, "latest, best or a step")
    print(runner.draw(saved, flags.sampling, flags.seed, flags.checkpoint))


def _names_a_checkpoint(text: str) -> bool:
    return text in ("latest", "best") or (text.isdecimal() and text.isascii() and len(text) < 11)


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
        check(self, "checkpoint", _names_a_checkpoint, "latest, best or a step")


def evaluate(args: list[str]) -> None:
    """Print a run's held-out metrics: jaxgen evaluate RUN [--json]."""
    if "-h" not in args and "--help" not in args:
        _require_run(args, "jaxgen evaluate")
    options = parse(EvaluateOptions, args, "jaxgen evaluate")
    prepare_process()
    from jaxgen import runner

    metrics = runner.judge(runner.load_run(_run_folder(options.run)), options.checkpoint)
    if options.json:
        print(json.dumps(metrics))
        return
    for name, value in metrics.items():
        print(f"{name:<28} {value:.6g}")


@dataclass(frozen=True)
class EquationsOptions:
    """Print the documents' equations, or one of them in full."""

    id: tyro.conf.Positional[str | None] = None
    """The equation, e.g. attention.scaled-dot-product; all of them where none is given."""


def equations(args: list[str]) -> None:
    """List the documents' equations, or print one in full: jaxgen equations [ID]."""
    options = parse(EquationsOptions, args, "jaxgen equations")
    from rich.console import Console

    from jaxgen.book.equations import list_equations, show_equation

    console = Console()
    if options.id is None:
        list_equations(console)
    else:
        show_equation(options.id, console)


@dataclass(frozen=True)
class DemoOptions:
    """Train a GPT, a VAE and a GAN on real data and compare measured with predicted step times."""

    short: bool = False
    """A tenth of the steps: shows that everything runs, not what it can do."""
    runs: Path = Path("runs")
    """The directory that holds the runs; finished ones are not trained again."""


def demo(args: list[str]) -> None:
    """Train a GPT, a VAE and a GAN on real data: jaxgen demo [--short]."""
    options = parse(DemoOptions, args, "jaxgen demo")
    prepare_process()
    from jaxgen.book.demo import run_demo

    run_demo(options.runs, short=options.short)


def _require_run(args: list[str], prog: str) -> None:
    if not args or args[0].startswith("-"):
        raise UserError(f"Name a run directory first: {prog} RUN.")


def _run_folder(run: str) -> Path:
    """A run directory as it was printed, or the name of one under ./runs."""
    folder = Path(run)
    exists = os.path.exists(run)  # noqa: PTH110  (pathlib's fails on a name that is too long)
    return folder if exists or folder.name != run else Path("runs") / run
