"""The demonstration: three models trained on real data, their step times beside the mathematics."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table

from jaxgen import runner
from jaxgen.experiments.base import Experiment
from jaxgen.experiments.registry import find_experiment
from jaxgen.training.timing import gemm_flops_per_second, step_seconds

HEADLINES = {  # experiment: the held-out metric that the table shows, with its unit
    "gpt-python": ("nats_per_character", "nats/character"),
    "vae-digits": ("loss", "nats/image"),
    "gan-digits": ("pixel_frechet", "pixel Fréchet distance"),
}


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    model: str
    metric: str
    before: float
    after: float
    steps: int
    measured_seconds: float
    predicted_seconds: float
    sample: Path


def run_demo(root: Path, *, short: bool = False) -> None:
    """Train the three experiments under `root` (finished ones are kept) and print the table."""
    console = Console()
    gemm_rate = gemm_flops_per_second()
    outcomes = []
    for name in HEADLINES:
        experiment = find_experiment(name)()
        if short:
            steps = experiment.steps // 10
            experiment = replace(experiment, steps=steps, eval_every=steps, checkpoint_every=steps)
        folder = root / f"demo{'-short' if short else ''}-{name}"
        console.rule(f"{name}: {experiment.steps} steps")
        outcomes.append(_outcome(name, experiment, folder, gemm_rate))
    console.print(_table(outcomes, gemm_rate))
    _print_text(console, outcomes[0].sample)
    print(root)


def _outcome(name: str, experiment: Experiment, folder: Path, gemm_rate: float) -> Outcome:
    if folder.exists():
        saved = runner.load_run(folder)
        run = runner.resume(saved, saved.experiment)
    else:
        run = runner.start(experiment, name, folder.parent, folder.name)
    metric, unit = HEADLINES[name]
    after = runner.judge(runner.load_run(folder))
    data = experiment.load()
    task, order, state = runner.prepare(experiment, data)
    before = task.evaluate(state.params, data.test)[metric]
    measured = step_seconds(
        task, state, data.train, order.indices_for, experiment.steps_per_dispatch
    )
    predicted = experiment.costs(data.spec).matmul_flops / gemm_rate
    sample = sorted(run.samples.iterdir())[-1]
    return Outcome(
        name, unit, before, after[f"eval/{metric}"], after["step"], measured, predicted, sample
    )


def _table(outcomes: list[Outcome], gemm_rate: float) -> Table:
    table = Table(
        title="Held-out metric, and a training step's time against its mathematics",
        caption=(
            f"Predicted: matmul FLOPs of the step / {gemm_rate / 1e9:.0f} GFLOP/s, the best float32 "
            f"matmul of this process on {jax.devices()[0].device_kind}."
        ),
    )
    for column in (
        "model",
        "held out",
        "before",
        "after",
        "steps",
        "ms/step",
        "predicted",
        "share",
    ):
        table.add_column(column, justify="left" if column in ("model", "held out") else "right")
    table.add_column("samples", overflow="fold")
    for row in outcomes:
        table.add_row(
            row.model, row.metric, f"{row.before:.3f}", f"{row.after:.3f}", str(row.steps),
            f"{row.measured_seconds * 1e3:.2f}", f"{row.predicted_seconds * 1e3:.2f}",
            f"{row.predicted_seconds / row.measured_seconds:.0%}", str(row.sample),
        )  # fmt: skip
    return table


def _print_text(console: Console, path: Path) -> None:
    console.rule("what the GPT writes")
    print(path.read_text(encoding="utf-8")[:400])
    console.rule()
