"""`python -m benchmarks costs NAME`: the cost table of a step or an equation, and nothing is run."""

from dataclasses import dataclass
from typing import Literal

import tyro

from jaxgen.cli.parsing import parse
from jaxgen.costs import conventions, render
from jaxgen.costs.table import Table
from jaxgen.errors import UserError
from jaxgen.experiments.registry import experiment_names
from jaxgen.suggest import alike


@dataclass(frozen=True)
class CostOptions:
    """Print what a training step, or an equation with its gradient, costs: one row an operation."""

    name: tyro.conf.Positional[str]
    """An experiment, or the id of an equation."""
    batch_size: int | None = None
    """Examples in a step; the experiment's own where none is given."""
    remat: bool = False
    """Recompute a transformer's activations in the backward pass."""
    sort: Literal["step", "flops", "bytes", "name"] = "step"
    """The rows as the step goes, the dearest first, or by name."""
    markdown: bool = False
    """As Markdown instead of aligned columns."""


def print_costs(args: list[str]) -> None:
    """The command: the table, its totals, and a transformer's FLOPs under every convention."""
    options = parse(CostOptions, args, "benchmarks costs")
    table = find_table(options)
    print((render.markdown if options.markdown else render.text)(table, options.sort))
    if table.is_transformer:
        print(f"\nTraining FLOPs of this model by each convention:\n\n{conventions.compare(table)}")


def find_table(options: CostOptions) -> Table:
    """The table that the options name; a UserError lists what there is."""
    from benchmarks import select

    if select.full_name(options.name) not in experiment_names():
        return _equation_table(options)
    if options.batch_size is not None and options.batch_size < 1:
        raise UserError(f"--batch-size {options.batch_size} is no batch: give 1 or more.")
    experiment, data = select.find(
        options.name, batch_size=options.batch_size, remat=options.remat or None
    )
    return experiment.costs(data.spec)


def _equation_table(options: CostOptions) -> Table:
    # Imported only where an equation is asked for: it imports jax, which a step's table does without.
    from jaxgen.catalog import EQUATIONS

    if options.name not in EQUATIONS:
        known = dict.fromkeys(experiment_names(), "") | {e.id: e.title for e in EQUATIONS.values()}
        raise UserError(
            f"Nothing named {options.name!r} has costs; the likest are "
            f"{', '.join(alike(options.name, known))} (python train.py lists the experiments, jaxgen "
            "equations the formulas)."
        )
    if options.batch_size is not None or options.remat:
        raise UserError(
            f"{options.name} is an equation, whose sizes are those that `benchmarks equations` "
            "measures: leave --batch-size and --remat out."
        )
    equation = EQUATIONS[options.name]
    return equation.costs(equation.sizes)
