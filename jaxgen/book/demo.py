"""The demonstration: four models, three of them on real data, their times beside the mathematics."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    "diffusion-ring": ("high_quality", "within 3σ"),
}
RING_STEPS = 1000
"""A quarter of its preset's: the eight Gaussians are there, not yet as sharp as they become."""


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
    """Train the four experiments under `root` (finished ones are kept) and print the table."""
    console = Console()
    outcomes, gemm_rates = [], []
    for name in HEADLINES:
        experiment = demo_experiment(name, short=short)
        folder = root / f"demo{'-short' if short else ''}-{name}"
        console.rule(f"{name}: {experiment.steps} steps")
        outcomes.append(outcome_of(name, experiment, folder))
        gemm_rates.append(gemm_flops_per_second())
    console.rule("what the GPT writes")
    print(outcomes[0].sample.read_text(encoding="utf-8")[:400])
    console.rule()
    console.print(_table(outcomes, max(gemm_rates)))
    for row in outcomes:
        print(f"{row.model} samples: {row.sample}")
    picture = _save_picture(outcomes[1:], root / f"demo{'-short' if short else ''}.png")
    print(f"all pictures in one: {picture}")


def demo_experiment(name: str, *, short: bool) -> Any:
    """The preset, but for its number of steps, and diffusion that shows how noise becomes points."""
    experiment: Any = find_preset(name).experiment
    steps = experiment.steps
    if name == "diffusion-ring":
        steps = RING_STEPS
        experiment = replace(
            experiment,
            optimizer=replace(experiment.optimizer, decay_steps=steps),
            sampling=replace(experiment.sampling, show="paths"),
        )
    elif not short:
        return experiment
    steps = steps // 10 if short else steps
    return replace(experiment, steps=steps, eval_every=steps, checkpoint_every=steps)


def outcome_of(name: str, experiment: Experiment, folder: Path) -> Outcome:
    """Train, or go on with what there is, and judge: a row of the table."""
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
    """The grids of digits side by side, and below them the way from noise to the ring."""
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    figure = Figure(figsize=(4 * (len(outcomes) - 1), 6.4), layout="constrained")
    grid = figure.add_gridspec(2, len(outcomes) - 1, height_ratios=(4.3, 2))
    places = [*(grid[0, column] for column in range(len(outcomes) - 1)), grid[1, :]]
    for place, row in zip(places, outcomes, strict=True):
        axes = figure.add_subplot(place)
        axes.imshow(imread(row.sample))
        axes.set_title(f"{row.model}, {row.steps} steps")
        axes.set_axis_off()
    figure.savefig(path, dpi=120)
    return path
