"""From an experiment to a finished run, and back from a run to its trained model."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.data import Data, Order, spec_from_json
from jaxgen.data.identity import changes, content
from jaxgen.devices.choose import make_plan, reading_plan
from jaxgen.devices.feed import Feeding, Where, choose_feeding
from jaxgen.devices.memory import explained_memory
from jaxgen.devices.plan import Plan
from jaxgen.devices.processes import is_main
from jaxgen.devices.together import done_by_main
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment, Trained, seconds_of
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.fields import differences, from_json, refuse_extremes, to_json
from jaxgen.runs.lock import writing_alone
from jaxgen.runs.loop import Cadence, train
from jaxgen.runs.options import NO_GUARDS, Guards, Origin
from jaxgen.runs.origin import begun_with
from jaxgen.runs.run import Run, create_run, open_run, refuse_existing, run_path, save_config
from jaxgen.runs.tensors import read_tensors, write_tensors
from jaxgen.training.state import State
from jaxgen.training.task import Task


class Devices(NamedTuple):
    """What was asked for: --parallel, --mesh and --feed; None: the usual."""

    parallel: str | None = None
    mesh: str | None = None
    feed: Where | None = None


ONE = Devices("jit")
OWN = "own:"  # in config.json before the class of an experiment that no preset names


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


def start(
    experiment: Experiment,
    experiment_name: str,
    root: Path,
    name: str,
    devices: Devices = ONE,
    guards: Guards = NO_GUARDS,
    origin: Origin | None = None,
) -> Run:
    """Train a new run to its end. Nothing is written before data and model have been accepted."""
    refuse_extremes(experiment)
    run = Run(run_path(root, name))
    if is_main():
        refuse_existing(run.folder)
    experiment, trained = stand_on(experiment, run.folder)
    data = experiment.load()
    prepared = prepare(experiment, data, devices, trained)
    fields, begun = to_json(experiment), None
    spec = data.spec.to_json() | {"content": content(data)}
    if origin is not None:
        prepared, begun = _begun(prepared, origin, root)
    done_by_main(lambda: create_run(root, name, experiment_name, fields, spec, begun))
    with _writing(run):
        if begun:  # kept, since a run that is resumed before its first checkpoint could not tell
            with _checkpoints(run, experiment_name, experiment) as checkpoints:
                checkpoints.save(prepared.plan.shared(prepared.state))
        _train(experiment, experiment_name, data, prepared, run, guards)
    return run


def resume(
    saved: SavedRun, experiment: Experiment, devices: Devices = ONE, guards: Guards = NO_GUARDS
) -> Run:
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
    with _writing(saved.run):
        _resume(saved, experiment, devices, guards)
    return saved.run


def _begun(prepared: "Prepared", origin: Origin, root: Path) -> tuple["Prepared", dict]:
    """(what is prepared, with another run's weights; what origin.json says of them)."""
    saved = load_run(run_path(root, origin.run))
    _, state = restore(saved.experiment, saved)
    begun, left_out = begun_with(
        prepared.state, state.weights, origin.without, str(saved.run.folder), prepared.plan
    )
    with _checkpoints(saved.run, saved.name, saved.experiment, reader=True) as checkpoints:
        digest = checkpoints.digest(int(state.step))
    known = {"run": origin.run, "step": int(state.step), "digest": digest, "left_out": left_out}
    return prepared._replace(state=begun), known


@contextlib.contextmanager
def _writing(run: Run) -> Iterator[None]:
    """Be the one job that writes a run; a UserError in all of its processes names the other."""
    with contextlib.ExitStack() as held:
        done_by_main(lambda: held.enter_context(writing_alone(run.folder)))
        yield


def _resume(saved: SavedRun, experiment: Experiment, devices: Devices, guards: Guards) -> None:
    experiment, trained = stand_on(experiment, saved.run.folder)
    data = load_same(saved)
    prepared = prepare(experiment, data, devices, trained)
    with _checkpoints(saved.run, saved.name, experiment) as checkpoints:
        if not checkpoints.is_empty:
            prepared = prepared._replace(state=checkpoints.restore(prepared.state))
        elif saved.run.origin.exists():
            raise UserError(
                f"{saved.run.folder} was ended before the weights that it begins with were saved: "
                "remove it, and start it again by --init-from."
            )
        elif is_main():
            print(f"{saved.run.checkpoints} holds no checkpoint: starting again from step 0")
    done = int(prepared.state.step)
    if experiment.steps < done:
        raise UserError(f"--steps is {experiment.steps}, but the run has done {done}: give more.")
    if is_main():
        save_config(saved.run, saved.name, to_json(experiment))
    if done < experiment.steps:
        _train(experiment, saved.name, data, prepared, saved.run, guards)


def draw(
    saved: SavedRun,
    sampling: Any,
    seed: int,
    checkpoint: str = "latest",
    show: Callable[[Iterator[Any]], None] | None = None,
) -> Path | None:
    """Sample from a run's checkpoint into its samples folder; returns the file.

    Where the model draws piece by piece and there is a `show`, that is handed the pieces as they come,
    and there is no file.
    """
    experiment: Any = saved.experiment  # of a family that has the field
    task, state = restore(replace(experiment, sampling=sampling), saved, checkpoint)
    key = jax.random.key(seed)
    if show is not None and task.stream is not None:
        return show(task.stream(state.weights, key))
    path = saved.run.new_sample_path(int(state.step), seed)
    return own(task, "sample", experiment)(state.weights, key, path)


def export(saved: SavedRun, file: Path, checkpoint: str = "latest") -> None:
    """Write a checkpoint's parameters as safetensors, named as others know them."""
    task, state = restore(saved.experiment, saved, checkpoint)
    write_tensors(file, own(task, "export", saved.experiment)(state.weights))


def adopt(experiment: Experiment, experiment_name: str, root: Path, name: str, file: Path) -> Run:
    """Make a run of parameters that others trained: a finished one, for all that stands on runs.

    Nothing is written before data and parameters have been accepted.
    """
    refuse_extremes(experiment)
    refuse_existing(run_path(root, name))
    data = experiment.load()
    prepared = prepare(experiment, data)
    task, state = prepared.task, prepared.state
    params = own(task, "adopt", experiment)(read_tensors(file), file)
    params = jax.tree.map(jnp.asarray, params)
    ema = None if state.ema is None else params
    state = state._replace(params=params, ema=ema, step=jnp.int32(experiment.steps))
    spec = data.spec.to_json() | {"content": content(data)}
    run = create_run(root, name, experiment_name, to_json(experiment), spec)
    with _checkpoints(run, experiment_name, experiment) as checkpoints:
        checkpoints.save(state)
    return run


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
        _checkpoints(saved.run, saved.name, experiment, task.best, reader=True) as checkpoints,
    ):
        if checkpoints.is_empty:
            raise UserError(
                f"{saved.run.folder} holds no checkpoint yet: train it by --resume "
                f"{saved.run.folder.name}."
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
                f"--resume {source.run}, or name a step by --{field.replace('_', '-')}.checkpoint."
            )
        with _checkpoints(saved.run, saved.name, saved.experiment) as checkpoints:
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


def _checkpoints(
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


class Prepared(NamedTuple):
    """All that a run needs before its first step."""

    task: Task
    order: Order
    plan: Plan
    state: State
    feeding: Feeding


def prepare(
    experiment: Experiment,
    data: Data,
    devices: Devices = ONE,
    trained: Mapping[str, Trained] | None = None,
) -> Prepared:
    """An experiment's functions, order of data, plan of devices, and state before the first step."""
    order = experiment.order(data)
    task = experiment.build(data.spec, trained or {})
    plan = make_plan(
        devices.parallel, devices.mesh,
        batch_size=experiment.batch_size, accumulate=experiment.accumulate, model_axes=task.model_axes,
    )  # fmt: skip
    feeding = choose_feeding(devices.feed, data.train, experiment.examples_per_step)
    with explained_memory(plan.shapes(task.init), plan, _remedies(experiment)):
        return Prepared(task, order, plan, plan.init(task.init, experiment.seed), feeding)


def _remedies(experiment: Experiment) -> str:
    """What else lowers the memory of this experiment."""
    return "set --model.remat, " if hasattr(getattr(experiment, "model", None), "remat") else ""


def _train(
    experiment: Experiment, name: str, data: Data, prepared: Prepared, run: Run, guards: Guards
) -> None:
    task, order, plan, state, feeding = prepared
    every = experiment.checkpoint_every
    seconds = None if isinstance(every, int) else seconds_of(every)
    cadence = Cadence(
        experiment.steps, experiment.log_every, experiment.eval_every,
        every if isinstance(every, int) else experiment.steps,
        min(experiment.steps_per_dispatch, feeding.most_steps or experiment.steps_per_dispatch),
        seconds, guards.verify_steps,
    )  # fmt: skip
    if is_main():
        print(f"{plan.describe(state.params)}; {feeding.describe()}", flush=True)
    with explained_memory(plan.shapes(task.init), plan, _remedies(experiment)):
        train(
            task, state, replace(data, test=held_out(experiment, data)), order.indices_for, cadence,
            run, plan,
            _checkpoints(run, name, experiment, task.best), experiment.skip_nonfinite,
            feeding.where, guards.watchdog,
        )  # fmt: skip
