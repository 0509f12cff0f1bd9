"""Command lines to dataclasses, by tyro; what is wrong with them becomes one sentence."""

import contextlib
import io
import itertools
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import tyro

from jaxgen.errors import UserError
from jaxgen.suggest import nearest


def flat_field(instance: Any) -> Any:
    """The type of a field that holds such a dataclass, whose flags have no prefix."""
    kind = type(instance)
    return Annotated[kind, tyro.conf.arg(name="")]


def parse(cls: type, args: list[str], prog: str, default=None):
    """The dataclass that the flags describe, starting from `default`; --help prints and exits.

    Raises UserError where a flag is unknown (with the nearest one) or a value cannot be read.
    """
    result, unknown = parse_known(cls, args, prog, default)
    if unknown:
        raise UserError(_unknown(unknown[0], cls, prog))
    return result


def parse_known(cls: type, args: list[str], prog: str, default=None):
    """As `parse`, but returns (dataclass, the arguments that it does not know)."""
    stdout, stderr = _Captured(), _Captured()
    extra = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(stdout):
            return tyro.cli(cls, args=args, prog=prog, return_unknown_args=True, **extra)
    except SystemExit as end:
        if not end.code:
            _print_folded(stdout.getvalue())
            raise
        raise UserError(f"{_first_sentence(stderr.getvalue())} See {prog} --help.") from None
    except UserError as error:
        raise UserError(_as_typed(str(error), args)) from None


def _as_typed(sentence: str, args: list[str]) -> str:
    """The sentence with the flag that was typed: a config of two owners knows neither one's name."""
    flag = sentence.split(" ")[0]
    typed = {argument.split("=")[0] for argument in args if argument.startswith("--")}
    longer = [each for each in typed if each.replace("_", "-").endswith(flag.removeprefix("--"))]
    return (
        sentence.replace(flag, longer[0], 1) if len(longer) == 1 and flag[:2] == "--" else sentence
    )


def _unknown(argument: str, cls: type, prog: str) -> str:
    if not argument.startswith("-"):
        return f"{prog} takes no argument {argument!r}: leave it out, or see {prog} --help."
    flag = argument.split("=")[0]
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.suppress(SystemExit):
        tyro.cli(cls, args=["--help"], prog=prog)
    flags = re.findall(r"--[a-z][a-z0-9.-]*", stdout.getvalue())
    negated = re.sub(
        r"^--no-(.+)\.", r"--\1.no-", flag
    )  # tyro puts the "no" before the field's own name
    if negated in flags:
        return f"There is no field {flag}: did you mean {negated}?"
    near = " or ".join(_of_the_same_meaning(flag, flags)) or _nearest_flag(flag, flags)
    hint = f"did you mean {near}?" if near else f"see {prog} --help."
    return f"There is no field {flag}: {hint}"


def _nearest_flag(flag: str, flags: list[str]) -> str | None:
    """By the letters alone: the dashes in front are in common of all."""
    found = nearest(flag.lstrip("-").replace("_", "-"), [each.lstrip("-") for each in flags])
    return None if found is None else f"--{found}"


SYNONYMS = {
    "learning-rate": ("lr", "rate", "step-size", "alpha"),
    "steps": (
        "epochs",
        "iterations",
        "iters",
        "max-steps",
        "max-iters",
        "num-steps",
        "train-steps",
    ),
    "batch-size": ("batch", "bs", "batchsize", "b"),
    "weight-decay": ("wd", "decay", "l2"),
    "warmup-steps": ("warmup",),
    "clip-norm": ("clip", "grad-clip", "max-grad-norm", "gradient-clip"),
    "num-layers": ("layers", "depth", "n-layer", "n-layers"),
    "num-heads": ("heads", "n-head", "n-heads"),
    "model-size": ("dim", "width", "d-model", "n-embd", "embed-dim", "hidden"),
    "seq-len": ("block-size", "context", "context-length", "sequence-length", "window"),
    "latent-size": ("latent", "latent-dim", "z-dim", "z"),
    "data": ("dataset", "data-dir", "data-path", "train-data"),
    "runs": ("out", "out-dir", "output", "output-dir", "logdir", "log-dir", "save-dir"),
    "name": ("run", "run-name", "exp-name", "experiment"),
    "checkpoint-every": ("save-every", "save-interval", "checkpoint-interval", "save-freq"),
    "eval-every": ("eval-interval", "val-every", "validate-every"),
    "log-every": ("log-interval", "print-every"),
    "count": ("num-samples", "n", "samples", "num"),
    "temperature": ("temp", "t"),
    "max-tokens": ("length", "max-new-tokens", "num-tokens"),
    "ema-decay": ("ema",),
    "accumulate": ("grad-accum", "gradient-accumulation", "accumulation-steps"),
    "seed": ("random-seed", "rng", "key"),
    "parallel": ("devices", "gpus", "strategy"),
}
"""What a field is called elsewhere."""


def _of_the_same_meaning(flag: str, flags: list[str]) -> list[str]:
    """The flags, one of each owner, whose field means what was asked for."""
    asked = flag.lstrip("-").replace("_", "-").rpartition(".")[2].lower()
    names = {name for name, others in SYNONYMS.items() if asked in (name, *others)}
    return [each for each in dict.fromkeys(flags) if each.lstrip("-").rpartition(".")[2] in names]


def print_list(entries: Mapping[str, str], width: int) -> None:
    """Names with what they are, one a line; on a terminal that is narrower, the rest below the text."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10**6
    width = max([width, *map(len, entries)])
    indent = width + 3 if columns >= 2.5 * (width + 3) else 4
    for name, text in entries.items():
        line = f"  {name:<{width}} {text}"
        print(textwrap.fill(line, columns, subsequent_indent=" " * indent))


def _print_folded(text: str) -> None:
    """Help within the terminal: what stands outside of tyro's boxes is not folded by it."""
    columns = shutil.get_terminal_size().columns
    for line in _reflowed(text.splitlines()):
        if len(line) <= columns or line.startswith(("│", "╭", "╰", "|", "+")):
            print(line)
        else:
            print(textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False))


def _reflowed(lines: list[str]) -> list[str]:
    """Help whose fields' texts fill their lines: tyro keeps the line ends that they have in the source.

    A field's text stands in one column, beside its flag or below it, up to the next flag.
    """
    found: list[str] = []
    for column, group in itertools.groupby(lines, _text_column):
        block = list(group)
        if not column:
            found += block
            continue
        before = found[-1] if found else ""
        beside = before[column - 2 : column] == "  " and before[column : column + 1].strip()
        start = found.pop()[:column] if beside else block[0][:column]
        texts = [before[column:-1]] if beside else []
        words = " ".join(" ".join([*texts, *(line[column:-1] for line in block)]).split())
        width = len(block[0]) - 1
        folded = textwrap.wrap(
            words, width - column - 1, break_long_words=False, break_on_hyphens=False
        )
        starts = [start, *[block[0][:column]] * (len(folded) - 1)]
        found += [
            f"{first + text:<{width}}{block[0][-1]}"
            for first, text in zip(starts, folded, strict=True)
        ]
    return found


def _text_column(line: str) -> int:
    """Where a line of a box has a field's text; 0 for flags, rules and what is outside of the boxes."""
    inner = line[1:-1].lstrip()
    column = len(line) - 1 - len(inner)
    return column if line[:1] in ("│", "|") and column > 5 and inner and inner[0] != "-" else 0


REWORDED = {
    r"^Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)$": (
        r"\1 is \2: give a whole number, in digits"
    ),
    r"^Error parsing (\S+): could not convert string to float: (.*)$": r"\1 is \2: give a number",
    r"^Error parsing (\S+): Could not find valid parse for arguments: \[(.*)\]$": (
        r"\1 is \2, which it cannot be"
    ),
    r"^Missing value for argument '(\S+)'.*$": r"\1 stands without its value: give one",
    r"^invalid choice (.*) for argument '(\S+)'. Expected one of \((.*)\)": (
        r"\2 is \1: give one of \3"
    ),
}
"""What Python and tyro say of a value, and what a person is told."""


class _Captured(io.StringIO):
    """A stream that tyro takes for the terminal: it draws boxes of letters that this one has."""

    @property
    def encoding(self) -> str:
        """The terminal's."""
        return sys.__stdout__.encoding if sys.__stdout__ else "utf-8"


def _first_sentence(box: str) -> str:
    """tyro frames its messages; the part above the first rule says what is wrong."""
    lines = [line.strip("│ ") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    if "│" not in box:  # in ASCII, where the title has a rule of its own
        lines = lines[2:]
    rule = next((i for i, line in enumerate(lines) if re.fullmatch("[─-]{2,}", line)), len(lines))
    sentence = " ".join(lines[:rule])
    for said, ours in REWORDED.items():
        sentence = re.sub(said, ours, sentence)
    return sentence if sentence.endswith(".") else sentence + "."
