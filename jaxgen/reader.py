"""From a run on disk back to its trained model: to draw, to judge, to stand on, to go on with."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax

from jaxgen.data import Data, spec_from_json
from jaxgen.data.identity import changes, content
from jaxgen.devices.choose import reading_plan
from jaxgen.devices.memory import explained_memory
from jaxgen.devices.processes import is_main
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment, Trained
from jaxgen.interrupts import let_through
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.durable import make_folder
from jaxgen.runs.fields import from_json, refuse_extremes, to_json
from jaxgen.runs.run import OWN, Run, going_on, open_run, run_path
from jaxgen.runs.tensors import write_tensors
from jaxgen.training.state import State
from jaxgen.training.task import Task


@dataclass(frozen=True)
class SavedRun:
    """A run on disk, with the experiment, the data spec and the data's digests of its start."""

    run: Run
    name: str
    experiment: Experiment
    spec: Any
    content: Any = None

    @property
    def root(self) -> Path:
        """The directory of runs that holds it."""
        return self.run.folder.parent


def own_name(experiment: Experiment) -> str:
    """What config.json calls an experiment that no preset names."""
    return f"{OWN}{type(experiment).__name__}"


def load_run(folder: Path, own: Experiment | None = None) -> SavedRun:
    """Read a run's config; a UserError says what is wrong with it.

    `own`: an experiment that no preset names. The run must be of its class; the fields are the run's.
    """
    run, name, fields, spec = open_run(folder)
    if own is None and name.startswith(OWN):
        raise UserError(
            f"{folder} is a run of {name.removeprefix(OWN)}, which is nowhere registered: hand an "
            "instance of it to jaxgen.train or jaxgen.load in Python."
        )
    if own is not None and name != own_name(own):
        raise UserError(
            f"{folder} is a run of {name.removeprefix(OWN)}, not of {type(own).__name__}: give "
            "another name."
        )
    experiment = from_json(own or find_preset(name).experiment, fields, run.config)
    refuse_extremes(experiment)
    try:
        if spec["kind"] != experiment.kind:
            raise ValueError(f"{name} takes {experiment.kind}")
        return SavedRun(run, name, experiment, spec_from_json(spec), spec.get("content"))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run.spec} is damaged ({error!r}): restore it from a copy.") from None


def draw(
    saved: SavedRun,
    sampling: Any,
    seed: int,
    checkpoint: str = "latest",
    show: Callable[[Iterator[Any]], None] | None = None,
    folder: Path | None = None,
) -> Path | None:
    """Sample from a run's checkpoint into `folder`, or its own samples; returns the file.

    Where the model draws piece by piece and there is a `show`, that is handed the pieces as they come,
    and there is no file.
    """
    experiment: Any = saved.experiment  # of a family that has the field
    task, state = restore(replace(experiment, sampling=sampling), saved, checkpoint)
    key = jax.random.key(seed)
    if show is not None and task.stream is not None:
        return show(task.stream(state.weights, key))
    path = saved.run.new_sample_path(int(state.step), seed, folder)
    make_folder(path.parent)
    return own(task, "sample", experiment)(state.weights, key, path)


def export(saved: SavedRun, file: Path, checkpoint: str = "latest") -> None:
    """Write a checkpoint's parameters as safetensors, named as others know them."""
    task, state = restore(saved.experiment, saved, checkpoint)
    write_tensors(file, own(task, "export", saved.experiment)(state.weights))


def judge(saved: SavedRun, checkpoint: str = "latest") -> dict[str, int | float]:
    """The held-out metrics of a run's checkpoint, named as in metrics.jsonl, and its step."""
    task, state = restore(saved.experiment, saved, checkpoint)
    evaluate = own(task, "evaluate", saved.experiment)
    return judged(evaluate, state, held_out(saved.experiment, load_same(saved)))


def own(task: Task, name: str, experiment: Experiment) -> Any:
    """A function that a Task may lack; a UserError where the experiment gave it none."""
    function = getattr(task, name)
    if function is None:
        raise UserError(
            f"{type(experiment).__name__} has no `{name}`: give its Task one in `build`."
        )
    return function


def held_out(experiment: Experiment, data: Data) -> Any:
    """What is judged of the held-out part; where that is not all of it, a person is told."""
    part = experiment.held_out(data)
    if part is not data.test and is_main():
        judged = getattr(part, "judged", None) or part.num_examples
        print(
            f"judged on {judged:,} of {data.test.num_judged:,} held-out examples, always the same, at "
            "equal distances (--eval-batches)",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return part


def judged(evaluate: Callable, state: State, part: Any) -> dict[str, int | float]:
    """The held-out metrics of a state, and its step."""
    metrics = evaluate(state.weights, part)
    found = {f"eval/{name}": float(value) for name, value in metrics.items()}
    return {"step": int(state.step)} | found


def restore(
    experiment: Experiment, saved: SavedRun, checkpoint: str = "latest", *, beneath: tuple = ()
) -> tuple[Task, State]:
    """A run's functions, for `experiment`, and the state of a checkpoint: latest, best or a step.

    The sizes in a config may be anybody's: nothing is allocated before a checkpoint's agree with them.
    `beneath`: the runs that ask for this one because they stand on it.
    """
    _, trained = stand_on(experiment, saved.run.folder, beneath)
    task, plan = experiment.build(saved.spec, trained), reading_plan()
    shapes = plan.shapes(task.init)
    with (
        explained_memory(shapes, plan),
        checkpoints_of(saved.run, saved.name, experiment, task.best, reader=True) as checkpoints,
    ):
        if checkpoints.is_empty:
            raise UserError(
                f"{saved.run.folder} holds no checkpoint yet: train it by {going_on(saved.run)}"
            )
        if checkpoint == "best" and checkpoints.best is None:
            raise UserError(
                f"No checkpoint was judged by {task.best}: leave out --checkpoint best."
            )
        step = int(checkpoint) if checkpoint.isdecimal() else checkpoint
        return task, plan.local(checkpoints.restore(shapes, step))


def stand_on(
    experiment: Experiment, folder: Path, beneath: tuple = ()
) -> tuple[Experiment, dict[str, Trained]]:
    """(the experiment with the digests of the runs that it stands on, these runs restored).

    Each lies beside `folder`, the experiment's own run. Raises UserError where one is missing, is not
    finished, has changed since its digest was taken, or stands on this one.
    """
    beneath, trained = (*beneath, folder.name), {}
    for field, source in experiment.stands_on.items():
        flag = f"--{field.replace('_', '-')}.run {source.run}"
        if source.run in beneath:
            raise UserError(f"{flag}: a run cannot stand on itself; name another.")
        path = run_path(folder.parent, source.run)
        if not path.is_dir():
            raise UserError(f"{flag}: there is no run {path}; train it first, or name another.")
        saved = load_run(path)
        task, state = restore(saved.experiment, saved, source.checkpoint, beneath=beneath)
        if source.checkpoint == "latest" and int(state.step) < saved.experiment.steps:
            raise UserError(
                f"{flag} has done {int(state.step)} of {saved.experiment.steps} steps: finish it by "
                f"{going_on(saved.run)}, or name a step by --{field.replace('_', '-')}.checkpoint."
            )
        with checkpoints_of(saved.run, saved.name, saved.experiment) as checkpoints:
            digest = checkpoints.digest(int(state.step))
        if source.digest not in ("", digest):
            raise UserError(
                f"{flag} has changed since this run was started: bring back the checkpoint with the "
                f"digest {source.digest[:12]}, or start another run."
            )
        trained[field] = Trained(task, state.weights, saved.spec)
        pinned: dict[str, Any] = {field: replace(source, digest=digest)}
        experiment = replace(experiment, **pinned)
    return experiment, trained


def checkpoints_of(
    run: Run, name: str, experiment: Experiment, best: str | None = None, *, reader: bool = False
) -> Checkpoints:
    """Those of a run, to be compared with this experiment."""
    config = {"experiment": name, "fields": to_json(experiment)}
    return Checkpoints(
        run.checkpoints, experiment.keep_checkpoints,
        config=config, best=best, on_full=experiment.on_full_disk, reader=reader,
    )  # fmt: skip


def load_same(saved: SavedRun) -> Data:
    """The run's data, which must still be what it was started with.

    Raises UserError with what differs; a run of before digests were kept is compared by its spec alone.
    """
    with let_through():
        data = saved.experiment.load()
    found, kept = data.spec.to_json(), saved.spec.to_json()
    differing = [f"another {name}" for name in found if found[name] != kept.get(name)]
    try:
        if not differing and saved.content is not None:
            differing = changes(saved.content, content(data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{saved.run.spec} is damaged ({error!r}): restore it from a copy."
        ) from None
    if differing:
        raise UserError(
            f"The data of --data {saved.experiment.data} has changed since {saved.run.folder} was "
            f"started ({', '.join(differing)}): bring the old data back, or start another run."
        )
    return data
