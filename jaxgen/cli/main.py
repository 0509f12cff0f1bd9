"""From a command line to its command, and from an exception to a status."""

import codecs
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import jaxgen
from jaxgen import interrupts
from jaxgen.devices.parting import FOLLOWED
from jaxgen.devices.processes import echo_of, end_with_launcher, is_echo, leave
from jaxgen.errors import UserError, ending, printable
from jaxgen.suggest import did_you_mean

COMMANDS = (
    "train", "sample", "evaluate", "tokenize", "export", "adopt", "equations", "demo", "mistakes",
)  # fmt: skip
"""Each is the function of its name in the file of its name."""


def main() -> None:
    """The command `jaxgen`."""
    interrupts.arm()
    run_command(_main, sys.argv[1:])


def main_train() -> None:
    """The command `python train.py`."""
    interrupts.arm()
    run_command(_find("train"), sys.argv[1:])


def run_command(command: Callable[[list[str]], None], args: list[str]) -> None:
    """Run a command; a UserError becomes its sentence and status 2, an interruption status 130.

    A process of a job that has several leaves it here, so that it keeps no other waiting.
    """
    status = 0
    # What libraries' C++ logs short of its death: an exception says it again, or it is no news.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    end_with_launcher()
    _mend_standard_streams()
    _hear_no_callbacks()
    # In a home that cannot be written it tells, a line each, that it has made a cache elsewhere.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        command(args)
        sys.stdout.flush()
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:  # as of `jaxgen equations | head`: nobody reads on
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  (for what is left of the process)
        status = 1
    except (KeyboardInterrupt, Exception) as error:
        if found := ending(error):
            status, said = found
        elif interrupts.was_taken() and is_echo(error):
            status, said = interrupts.INTERRUPTED, "interrupted, as the other processes were"
        elif is_echo(error):
            status, said = FOLLOWED, f"error: {printable(echo_of(error))}"
        elif _is_no_backend(error):
            status, said = 2, f"error: {_no_backend(error)}"
        else:
            raise
        print(said, file=sys.stderr)
    leave(status)


def _is_no_backend(error: BaseException) -> bool:
    """Whether jax has looked in vain for a platform; for one whose plugin is missing it says nothing."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    silent = isinstance(error, AssertionError) and trace is not None
    in_search = silent and Path(trace.tb_frame.f_code.co_filename).name == "xla_bridge.py"
    return in_search or "Unable to initialize backend" in str(error)


def _no_backend(error: BaseException) -> str:
    """What to do about a platform that jax does not find, in a sentence."""
    wanted = os.environ.get("JAX_PLATFORMS", "")
    said = printable(" ".join(str(error).split()))[:200] or "its plugin is not installed"
    remedy = (
        f"$JAX_PLATFORMS is {wanted!r}: give cpu, or cuda or tpu where jax is installed for it"
        if wanted
        else ("set $JAX_PLATFORMS to cpu, or install jax for this accelerator")
    )
    return f"jax finds no device ({said}); {remedy}."


def _mend_standard_streams() -> None:
    """Let no print fail for a stream that was closed before the start, or for its narrow encoding."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # else a file of the run would be number 1, and get what libraries print
    os.close(descriptor)
    codecs.register_error("jaxgen.plain", _in_plain_letters)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="jaxgen.plain")


PLAIN = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "x", "±": "+-", "…": "...", "·": "*", "‖": "||", "→": "->"}
)
"""What a narrow terminal shows in place of a letter; of any other its number."""


def _in_plain_letters(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError):
        letters = error.object[error.start : error.end]
        return letters.translate(PLAIN).encode("ascii", "backslashreplace").decode(), error.end
    return codecs.backslashreplace_errors(error)


def _hear_no_callbacks() -> None:
    """Let nobody hear what tensorstore, from C++ and in any thread, says to orbax's closed loop.

    A failed save closes the loop and is told as what it is; who yet calls back finds it closed.
    """
    hear = sys.unraisablehook

    def hear_others(found) -> None:
        trace, said = found.exc_traceback, str(found.exc_value)
        name = trace.tb_frame.f_code.co_name if trace else ""
        if (name, said) != ("call_soon_threadsafe", "Event loop is closed"):
            hear(found)

    sys.unraisablehook = hear_others


def _main(args: list[str]) -> None:
    if args[0:1] == ["help"] and args[1:]:
        args = [args[1], "--help"]
    if not args or args[0] in ("-h", "--help", "help"):
        print("usage: jaxgen COMMAND ..., or jaxgen COMMAND --help\n")
        summaries = {n: (_find(n).__doc__ or "").splitlines()[0].split(": ")[0] for n in COMMANDS}
        from jaxgen.cli.parsing import print_list

        print_list(summaries, 10)
        return
    if args[0] in ("--version", "-V", "version"):
        print(f"jaxgen {jaxgen.__version__}")
        return
    if args[0] not in COMMANDS:
        raise UserError(f"There is no command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}.")
    _find(args[0])(args[1:])


def _find(name: str) -> Callable[[list[str]], None]:
    return getattr(importlib.import_module(f"jaxgen.cli.{name}"), name)
