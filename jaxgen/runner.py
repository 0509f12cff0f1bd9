"""From an experiment to a finished run, and back from a run to its trained model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax

from jaxgen.data import Data, Order, spec_from_json
from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment
from jaxgen.experiments.registry import find_experiment
from jaxgen.fields import differences, from_json, to_json
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.loop import Cadence, train
from jaxgen.training.run import Run, create_run, open_run, refuse_existing, run_path, save_config
from jaxgen.training.state import State
from jaxgen.training.task import Task


@dataclass(frozen=True)
class SavedRun:
    """A run on disk, with the experiment and the data spec that it was started with."""

    run: Run
    name: str
    experiment: Experiment
    spec: Any


def load_run(folder: Path) -> SavedRun:
    """Read a run's config; a UserError says what is wrong with it."""
    run, name, fields, spec = open_run(folder)
    experiment = from_json(find_experiment(name), fields, run.config)
    try:
        return SavedRun(run, name, experiment, spec_from_json(spec))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run.spec} is damaged ({error!r}): restore it from a copy.") from None


def start(experiment: Experiment, experiment_name: str, root: Path, name: str) -> Run:
    """Train a new run to its end. Nothing is written before data and model have been accepted."""
    refuse_existing(run_path(root, name))
    data = experiment.load()
    prepared = prepare(experiment, data)
    spec = data.spec.to_json()
    run = create_run(root, name, experiment_name, to_json(experiment), spec)
    _train(experiment, data, *prepared, run)
    return run


def resume(saved: SavedRun, experiment: Experiment) -> Run:
    """Go on with a run from its newest checkpoint; `experiment` may only ask for more steps.

    Raises UserError where another field differs, the data is not the same, or steps are too few.
    """
    changed = differences(saved.experiment, experiment)
    changed.pop("steps", None)
    for field, (old, new) in changed.items():
        flag = f"--{field}".replace("_", "-")
        raise UserError(
            f"{flag} is {old} in the run and {new} here: leave it out, or start another run."
        )
    data = _load_same(saved)
    task, order, state = prepare(experiment, data)
    with Checkpoints(saved.run.checkpoints) as checkpoints:
        done = checkpoints.latest or 0
        if experiment.steps < done:
            raise UserError(
                f"--steps is {experiment.steps}, but the run has done {done}: give more."
            )
        if done:
            state = checkpoints.restore(state)
        else:
            print(f"{saved.run.checkpoints} holds no checkpoint: starting again from step 0")
    save_config(saved.run, saved.name, to_json(experiment))
    if done < experiment.steps:
        _train(experiment, data, task, order, state, saved.run)
    return saved.run


def draw(saved: SavedRun, sampling: Any, seed: int) -> Path:
    """Sample from a run's newest checkpoint into its samples folder; returns the file."""
    task, state = restore(replace(saved.experiment, sampling=sampling), saved)
    stem, number = f"step-{int(state.step):07d}-seed-{seed}", 1
    while any(saved.run.samples.glob(f"{stem}-{number}.*")):  # no earlier sample is replaced
        number += 1
    return task.sample(state.params, jax.random.key(seed), saved.run.samples / f"{stem}-{number}")


def judge(saved: SavedRun) -> dict[str, int | float]:
    """The held-out metrics of a run's newest checkpoint, named as in metrics.jsonl, and its step."""
    task, state = restore(saved.experiment, saved)
    metrics = task.evaluate(state.params, _load_same(saved).test)
    return {"step": int(state.step)} | {f"eval/{name}": value for name, value in metrics.items()}


def restore(experiment: Experiment, saved: SavedRun) -> tuple[Task, State]:
    """A run's functions, for `experiment`, and the state of its newest checkpoint."""
    task = experiment.build(saved.spec)
    with Checkpoints(saved.run.checkpoints) as checkpoints:
        if checkpoints.latest is None:
            raise UserError(
                f"{saved.run.folder} holds no checkpoint yet: train it by --resume "
                f"{saved.run.folder.name}."
            )
        return task, checkpoints.restore(jax.jit(task.init)(jax.random.key(0)))


def _load_same(saved: SavedRun) -> Data:
    """The run's data, which must still be what it was started with."""
    data = saved.experiment.load()
    if data.spec != saved.spec:
        raise UserError(
            f"The data of --data {saved.experiment.data} has changed since {saved.run.folder} was "
            "started (image size or vocabulary): bring the old data back, or start another run."
        )
    return data


def prepare(experiment: Experiment, data: Data) -> tuple[Task, Order, State]:
    """The functions of an experiment, the order of its data, and the state before its first step."""
    order = Order(data.train.num_examples, experiment.batch_size, experiment.seed)
    task = experiment.build(data.spec)
    return task, order, jax.jit(task.init)(jax.random.key(experiment.seed))


def _train(
    experiment: Experiment, data: Data, task: Task, order: Order, state: State, run: Run
) -> None:
    cadence = Cadence(
        experiment.steps, experiment.log_every, experiment.eval_every,
        experiment.checkpoint_every, experiment.steps_per_dispatch,
    )  # fmt: skip
    train(task, state, data, order.indices_for, cadence, run, experiment.keep_checkpoints)
