"""The demonstration: three models trained on real data, their step times beside the mathematics."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jaxgen import reader, runner
from jaxgen.devices.timing import gemm_flops_per_second, step_seconds
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment

HEADLINES = {  # experiment: the held-out metric that the table shows, with its unit
    "gpt-python": ("nats_per_character", "nats/char"),
    "vae-digits": ("loss", "nats/image"),
    "gan-digits": ("pixel_frechet", "Fréchet"),
}


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    model: str
    metric: str
    before: float
    after: float
    steps: int
    seconds: float
    flops: int
    sample: Path


def run_demo(root: Path, *, short: bool = False) -> None:
    """Train the three experiments under `root` (finished ones are kept) and print the table."""
    console = Console()
    outcomes, gemm_rates = [], []
    for name in HEADLINES:
        experiment = find_preset(name).experiment
        if short:
            steps = experiment.steps // 10
            experiment = replace(experiment, steps=steps, eval_every=steps, checkpoint_every=steps)
        folder = root / f"demo{'-short' if short else ''}-{name}"
        console.rule(f"{name}: {experiment.steps} steps")
        outcomes.append(_outcome(name, experiment, folder))
        gemm_rates.append(gemm_flops_per_second())
    console.rule("what the GPT writes")
    print(outcomes[0].sample.read_text(encoding="utf-8")[:400])
    console.rule()
    console.print(_table(outcomes, max(gemm_rates)))
    for row in outcomes:
        print(f"{row.model} samples: {row.sample}")
    picture = _save_picture(outcomes[1:], root / f"demo{'-short' if short else ''}.png")
    print(f"both grids of digits: {picture}")


def _outcome(name: str, experiment: Experiment, folder: Path) -> Outcome:
    if folder.exists():
        saved = reader.load_run(folder)
        run = runner.resume(saved, saved.experiment)
    else:
        run = runner.start(experiment, name, folder.parent, folder.name)
    metric, unit = HEADLINES[name]
    after = reader.judge(reader.load_run(folder))
    data = experiment.load()
    task, order, _, state, _ = runner.prepare(experiment, data)
    before = reader.judged(reader.own(task, "evaluate", experiment), state, data.test)[
        f"eval/{metric}"
    ]
    seconds = step_seconds(
        task, state, data.train, order.indices_for, experiment.steps_per_dispatch
    )
    flops = experiment.costs(data.spec).matmul_flops
    sample = sorted(run.samples.glob("step-???????.*"))[-1]
    row = (before, after[f"eval/{metric}"], int(after["step"]), seconds, flops, sample)
    return Outcome(name, unit, *row)


def _table(outcomes: list[Outcome], gemm_rate: float) -> Table:
    table = Table(
        title="Held-out metric, and a training step's time against its mathematics",
        caption=(
            f"predicted: matmul FLOPs of the step / {gemm_rate / 1e9:.0f} GFLOP/s, the best float32 "
            f"matmul of this process on {jax.devices()[0].device_kind}; share: predicted / measured"
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("model", "held out"):
        table.add_column(column)
    for column in ("before", "after", "steps", "ms/step", "predicted", "share"):
        table.add_column(column, justify="right")
    for row in outcomes:
        predicted = row.flops / gemm_rate
        table.add_row(
            row.model, row.metric, f"{row.before:.3f}", f"{row.after:.3f}", str(row.steps),
            f"{row.seconds * 1e3:.2f}", f"{predicted * 1e3:.2f}", f"{predicted / row.seconds:.0%}",
        )  # fmt: skip
    return table


def _save_picture(outcomes: list[Outcome], path: Path) -> Path:
    """The sample grids side by side."""
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    figure = Figure(figsize=(4 * len(outcomes), 4.3), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(outcomes)), outcomes, strict=True):
        axes.imshow(imread(row.sample))
        axes.set_title(f"{row.model}, {row.steps} steps")
        axes.set_axis_off()
    figure.savefig(path, dpi=100)
    return path
