"""`jaxgen sample RUN ...`."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgen.cli.parsing import flat_field, parse
from jaxgen.cli.saved import names_a_checkpoint, run_folder
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import UserError, check, printable, trouble_of

GENERAL_HELP = """usage: jaxgen sample RUN [--seed N] [--checkpoint latest|best|STEP] [--out DIR] ...

Draw from a run: pictures and sound go into files, text to the screen.

  RUN           a run's directory, or the name of one under ./runs
  --seed        of the draws (default: 0)
  --checkpoint  latest, best (by the held-out metric), or a step (default: latest)
  --out         the folder for the files; the run's own samples/ where none is given

What else there is, as --count or --prompt, depends on what was trained:
jaxgen sample RUN --help lists it."""


def sample(args: list[str]) -> None:
    """Draw from a run, pictures into a file, text to the screen: jaxgen sample RUN [--seed N] [...]."""
    prog = "jaxgen sample"
    if args[:1] in (["-h"], ["--help"]):
        print(GENERAL_HELP)
        return
    if not args or args[0].startswith("-"):
        raise UserError(
            f"Name a run directory first: {prog} RUN; {prog} RUN --help lists the fields."
        )
    prepare_process()
    from jaxgen import reader

    saved = reader.load_run(run_folder(args[0]))
    sampling = getattr(saved.experiment, "sampling", None)
    if sampling is None:
        raise UserError(f"{saved.run.folder} is a run of {saved.name}, which draws no samples.")
    fields = [
        ("seed", int, 0), ("checkpoint", str, "latest"), ("out", Path | None, None),
        ("sampling", flat_field(sampling), sampling),
    ]  # fmt: skip
    flags = parse(dataclasses.make_dataclass("Sample", fields), args[1:], f"{prog} {args[0]}")
    check(flags, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")
    check(flags, "checkpoint", names_a_checkpoint, "latest, best or a step")
    try:
        path = reader.draw(saved, flags.sampling, flags.seed, flags.checkpoint, _show, flags.out)
    except OSError as error:
        if flags.out is not None or (trouble := trouble_of(error)) is None:
            raise
        place = error.filename or saved.run.samples
        raise UserError(f"{place}: {trouble.problem}: name a folder for it by --out DIR.") from None
    if path is not None:
        print(path)


def _show(pieces: Iterator[Any]) -> None:
    """The text to standard output as it comes, and nothing else; the rate to standard error."""
    counts, seconds = [], []
    for piece in pieces:
        print(_safe(piece.text) if sys.stdout.isatty() else piece.text, end="", flush=True)
        if piece.num_tokens:
            counts.append(piece.num_tokens)
            seconds.append(piece.seconds)
    print(flush=True)
    rate = f"; then {sum(counts[1:]) / sum(seconds[1:]):.0f} tokens a second" if counts[1:] else ""
    first = f"the first {counts[0]}, with compiling, in {seconds[0]:.1f} s"
    print(f"{sum(counts)} tokens: {first}{rate}", file=sys.stderr)


def _safe(text: str) -> str:
    """For a terminal, which no stranger's vocabulary may steer: printable, or a line end or tab."""
    return "".join(c if c in "\n\t" else printable(c) for c in text)
