"""From a command line to its command, and from an exception to a status."""

import errno
import importlib
import sys
from collections.abc import Callable

from jaxgen.devices.processes import leave
from jaxgen.errors import Interrupted, UserError, printable
from jaxgen.suggest import did_you_mean

COMMANDS = ("train", "sample", "evaluate", "export", "adopt", "equations", "demo")
"""Each is the function of its name in the file of its name."""


def main() -> None:
    """The command `jaxgen`."""
    run_command(_main, sys.argv[1:])


def main_train() -> None:
    """The command `python train.py`."""
    run_command(_find("train"), sys.argv[1:])


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
    if not args or args[0] in ("-h", "--help"):
        print("usage: jaxgen COMMAND ...\n")
        for name in COMMANDS:
            print(f"  {name:<10} {(_find(name).__doc__ or '').splitlines()[0]}")
        return
    if args[0] not in COMMANDS:
        raise UserError(f"There is no command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}.")
    _find(args[0])(args[1:])


def _find(name: str) -> Callable[[list[str]], None]:
    return getattr(importlib.import_module(f"jaxgen.cli.{name}"), name)
