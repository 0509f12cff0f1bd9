"""The command `python -m benchmarks NAME... | all | costs | dearest | results | aot | ...`."""

import itertools
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from benchmarks.aot.command import aot, scaling
from benchmarks.ledger.costs import print_costs
from benchmarks.ledger.dearest import dearest
from benchmarks.ledger.language import language
from benchmarks.ledger.quality import results
from benchmarks.output import MEASURED, check_output
from benchmarks.peers.command import peers
from benchmarks.select import SHORT_NAMES, find_experiment, full_name
from jaxgen.cli.parsing import parse
from jaxgen.devices.runtime import tune_allocator
from jaxgen.errors import UserError
from jaxgen.experiments.registry import experiment_names
from jaxgen.suggest import did_you_mean

COMMANDS = {
    "costs": print_costs, "dearest": dearest, "results": results, "aot": aot, "scaling": scaling,
    "peers": peers, "language": language,
}  # fmt: skip
"""What reads its own arguments: costs prints tables, dearest where a step's time goes, results trains
presets to their end, aot and scaling compile for chips that are not there, peers times PyTorch's steps
beside ours, language says what each change to a GPT brought."""


@dataclass(frozen=True)
class Options:
    """Measure the real steps beside their mathematics."""

    json: Path | None = None
    """The output file; runs/benchmarks/NAME.json where none is given."""
    short: bool = False
    """Few repetitions, small sizes: shows that everything runs; its figures mean little."""
    sweeps: bool = True
    """Batch, width, depth and devices around each experiment; without, it is measured as it is."""


def main(args: list[str]) -> None:
    """Run the command."""
    if not args or args[0] in ("-h", "--help"):
        print(_usage())
    elif args[0] == "--compare" or args[0].startswith("--compare="):
        _compare(args)
    elif args[0] in COMMANDS:
        COMMANDS[args[0]](args[1:])
    else:
        names = list(itertools.takewhile(lambda arg: not arg.startswith("-"), args))
        if not names:
            raise UserError("Name a benchmark first: python -m benchmarks lists them.")
        for name in names:
            if name not in _known():
                near = did_you_mean(name, _known(), listed_by="python -m benchmarks")
                raise UserError(f"There is no benchmark {name!r}; {near}.")
        run(names, parse(Options, args[len(names) :], f"benchmarks {' '.join(names)}"))


def _known() -> list[str]:
    return [*_benchmarks(), *SHORT_NAMES, "all", *COMMANDS]


def _benchmarks() -> list[str]:
    return ["equations", "attention", *experiment_names()]


def _usage() -> str:
    return (
        "usage: python -m benchmarks NAME ... [--json FILE] [--no-sweeps] [--short]\n"
        "       python -m benchmarks --compare A.json B.json\n"
        "       python -m benchmarks results [NAME ...] [--seeds 0 1 2]\n"
        "       python -m benchmarks language [--changes NAME ...] [--help]\n"
        "       python -m benchmarks costs EXPERIMENT | EQUATION [--help]\n"
        "       python -m benchmarks dearest EXPERIMENT [--count N]\n"
        "       python -m benchmarks aot EXPERIMENT --topology v5e:4x4 [--help]\n"
        "       python -m benchmarks scaling [--help]\n"
        "       python -m benchmarks peers NAME [--help]\n\n"
        + textwrap.fill(
            f"benchmarks: {', '.join([*_benchmarks(), 'all'])}", 80, break_on_hyphens=False
        )
    )


def _compare(args: list[str]) -> None:
    from benchmarks.measure.record import read, render_comparison

    files = args[1:]
    if args[0] != "--compare" or len(files) != 2:
        raise UserError("--compare takes two files: --compare A.json B.json.")
    print(render_comparison(*(read(Path(file)) for file in files)))


def run(names: list[str], options: Options) -> None:
    """Measure, print and write; a result above its ceiling ends with status 1."""
    tune_allocator()
    from benchmarks.ledger.model import set_against
    from benchmarks.measure.ceilings import best_of, find_ceilings
    from benchmarks.measure.plots import plot_roofline, plot_sweeps
    from benchmarks.measure.record import Record, markdown, write
    from benchmarks.measure.timing import compiling_anew

    path = options.json or MEASURED / f"{'-'.join(names)}{'-short' if options.short else ''}.json"
    check_output(path)
    chosen = ["equations", "attention", *SHORT_NAMES] if names == ["all"] else names
    with compiling_anew():
        ceilings = find_ceilings(short=options.short)
        record = Record({}, options.short)
        for one in chosen:
            print(f"measuring {one} ...", file=sys.stderr, flush=True)
            rows, exponents = _measure(one, options)
            record.rows += rows
            record.exponents += exponents
        # Before and after, since either may have been disturbed.
        ceilings = best_of(ceilings, find_ceilings(short=options.short))
    record.ceilings = ceilings.to_json()
    errors = [set_against(row, ceilings) for row in record.rows]
    record.errors = [error for error in errors if error]
    write(record, path)
    values = record.to_json()
    plot_roofline(values, path.with_name(f"{path.stem}-roofline.svg"))
    plot_sweeps(values, path.with_name(f"{path.stem}-scaling.svg"))
    print(markdown(values))
    print(f"\n{path}")
    if record.errors:
        sys.exit(1)


def _measure(name: str, options: Options) -> tuple[list[dict], list[dict]]:
    short = options.short
    if name == "equations":
        from benchmarks.ledger.equations import run_equations

        return run_equations(short=short), []
    if name == "attention":
        from benchmarks.ledger.attention import run_attention

        return run_attention(short=short)
    from benchmarks.ledger.devices import run_devices
    from benchmarks.ledger.model import measure_step, run_model

    experiment = find_experiment(name)
    if not options.sweeps:
        return [measure_step(name, "as trained", experiment, experiment.load(), short=short)], []
    rows, exponents = run_model(name, experiment, short=short)
    rows += run_devices(name, full_name(name), experiment, short=short)
    return rows, exponents
