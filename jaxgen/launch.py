"""`python -m jaxgen.launch -n 4 -- train.py ...`: one job of several processes on this machine's CPU."""

if __name__ == "__main__":
    from jaxgen.interrupts import arm

    arm()  # before what takes time to import

import shlex
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.cli import run_command
from jaxgen.cli.parsing import parse, parse_known
from jaxgen.devices.job import Job, Size, find_free_port
from jaxgen.devices.processes import require_port
from jaxgen.errors import UserError, check
from jaxgen.runs import run
from jaxgen.runs.options import RunOptions
from jaxgen.runs.run import Run

PROG = "python -m jaxgen.launch"
# Before a restart; the first comes after 1 s, each other after twice that.
MOST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class LaunchOptions:
    """Start N processes of one job on this machine's CPU: python -m jaxgen.launch -n N -- train.py ...

    What follows the -- is run by this Python, N times. The output of worker 1 and later, and what
    worker 0 writes to stderr, goes to stderr with the worker's number before each line; stdout is that
    of worker 0 alone, so its last line is still the run directory. The first worker that fails ends all
    others and gives the exit status, 128 + n where signal n ended it. Ctrl-C and SIGTERM are handed on
    once, so that the workers save and end by themselves (status 130); a second one ends them at once.
    Ctrl-C is a person's, who waits for --save-seconds and no longer; a SIGTERM waits for the save.
    """

    num_processes: Annotated[int, tyro.conf.arg(aliases=["-n"])]
    """The number of processes."""
    devices_per_process: int = 1
    """The number of devices that each process makes of the CPU."""
    port: int | None = None
    """The coordinator's port; a free one where none is given."""
    save_seconds: float = 3.5
    """How long the workers may save and end after Ctrl-C. Then they are ended, and the run is where its
    last whole checkpoint is."""
    max_restarts: int = 0
    """How often a job of train.py that a worker's death has ended goes on from its last checkpoint."""

    def __post_init__(self):
        check(self, "num_processes", lambda x: x >= 1, "1 or more")
        check(self, "devices_per_process", lambda x: x >= 1, "1 or more")
        check(self, "save_seconds", lambda x: 0 <= x < 1e6, "a number of seconds, 0 or more")
        check(self, "max_restarts", lambda x: x >= 0, "0 or more")
        check(self, "port", lambda x: x is None or 0 < x < 65536, "1 to 65535")


def main() -> None:
    """The command `python -m jaxgen.launch`."""
    run_command(launch, sys.argv[1:])


def launch(args: list[str]) -> None:
    """Run the command after `--` in several processes and exit with the status of their job.

    Raises UserError where there is no command, or the port is in use.
    """
    cut = args.index("--") if "--" in args else len(args)
    own, command = args[:cut], args[cut + 1 :]
    if not command and not {"-h", "--help"} & set(own):
        raise UserError(f"Put the command behind --, as in {PROG} -n 2 -- train.py vae-digits.")
    options = parse(LaunchOptions, own, PROG)
    if options.max_restarts:
        resuming(command)
    launched = [run.python_command(), *PROG.split()[1:], *own, "--"]
    sys.exit(_run_jobs(options, command, shlex.join(launched)))


def _run_jobs(options: LaunchOptions, command: list[str], launched: str) -> int:
    """Run the job, and again from its last checkpoint where a worker has died; returns the status.

    `launched`: what a person types before the command.
    """
    size = Size(options.num_processes, options.devices_per_process)
    failures: list[str] = []
    restarts = 0
    while True:
        port = options.port or find_free_port()
        require_port(port, "another --port")
        job = Job(
            size, command, port,
            environment={run.LAUNCHED: launched},
            save_seconds=options.save_seconds,
            going_on=partial(_going_on, command, launched),
        )  # fmt: skip
        status = job.run()
        failures += [job.failure] if job.failure else []
        # Bad input and an interruption would only come again.
        if status in (0, 2, 130) or job.interrupted or restarts == options.max_restarts:
            break
        pause = min(2.0**restarts, MOST_PAUSE_SECONDS)
        command, restarts = resuming(command), restarts + 1
        resumes = any(word.startswith("--resume") for word in command)
        whence = "from the last checkpoint" if resumes else "from the start"
        count = f"restart {restarts} of {options.max_restarts}"
        print(f"{count} in {pause:g} s, {whence}", file=sys.stderr, flush=True)
        time.sleep(pause)
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        print(f"restarted {times}; the first failure: {failures[0]}", file=sys.stderr)
    return status


def resuming(command: list[str]) -> list[str]:
    """The command that goes on with the run which `command` has started, if it came to be.

    Raises UserError where it is not one of train.py.
    """
    _, options, name = _parts(command)
    if options.resume or not (options.runs / name / "config.json").exists():
        return command
    return [*command, "--resume", name]


def _going_on(command: list[str], launched: str) -> str:
    """How a person goes on with the run of `command`, whose words begin; empty where there is none."""
    try:
        program, options, name = _parts(command)
    except UserError:  # something else than train.py
        return ""
    if not (options.runs / name / "config.json").exists():
        return ""
    words = [*program, *run.resuming(name, options.runs), *run.layout_of(command)]
    kept = Run(options.runs / name).checkpoints.glob("*/manifest.json")
    whole = any(path.parent.name.isdecimal() for path in kept)
    whence = "go on from the last whole checkpoint" if whole else "none is whole, so start again"
    return f"{whence} by {launched} {shlex.join(words)}"


def _parts(command: list[str]) -> tuple[list[str], RunOptions, str]:
    """(the words of train.py itself, what is set of the run, its name)."""
    is_module = command[:3] == ["-m", "jaxgen", "train"]
    if not is_module and Path(command[0]).name != "train.py":
        raise UserError(
            f"--max-restarts goes with train.py, whose runs can be resumed, not with {command[0]}: "
            "leave it out."
        )
    program, words = (command[:3], command[3:]) if is_module else (command[:1], command[1:])
    named = bool(words) and not words[0].startswith("-")  # --resume stands without an experiment
    options, _ = parse_known(RunOptions, words[named:], PROG)
    return program, options, options.resume or options.name or "".join(words[:1])


if __name__ == "__main__":
    main()
