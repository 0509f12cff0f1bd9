"""From an experiment to a finished run."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.costs.hardware import find_accelerator
from jaxgen.data import Data
from jaxgen.data.identity import content
from jaxgen.devices.choose import make_plan
from jaxgen.devices.feed import Where, choose_feeding
from jaxgen.devices.memory import explained_memory
from jaxgen.devices.plan import Plan
from jaxgen.devices.processes import is_main
from jaxgen.devices.together import done_by_main
from jaxgen.errors import UserError
from jaxgen.families.base import FREE, Experiment, Trained, seconds_of
from jaxgen.interrupts import let_through
from jaxgen.reader import (
    SavedRun,
    checkpoints_of,
    held_out,
    load_run,
    load_same,
    own,
    restore,
    stand_on,
)
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.fields import differences, refuse_extremes, to_json
from jaxgen.runs.lock import writing_alone
from jaxgen.runs.loop import Prepared, train
from jaxgen.runs.meter import Meter
from jaxgen.runs.options import NO_GUARDS, Guards, Origin
from jaxgen.runs.origin import begun_with
from jaxgen.runs.run import Run, create_run, refuse_existing, run_path, save_config
from jaxgen.runs.tensors import read_tensors
from jaxgen.training.config import OptimizerConfig


class Devices(NamedTuple):
    """What was asked for: --parallel, --mesh and --feed; None: the usual."""

    parallel: str | None = None
    mesh: str | None = None
    feed: Where | None = None


ONE = Devices("jit")


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
    with let_through():
        data = experiment.load()
    prepared = prepare(experiment, data, devices, trained)
    values, begun = to_json(experiment), None
    spec = data.spec.to_json() | {"content": content(data)}
    if origin is not None:
        prepared, begun = _begun(prepared, origin, root, data.spec)
    done_by_main(lambda: create_run(root, name, experiment_name, values, spec, begun))
    with _writing(run):
        if begun:  # kept, since a run that is resumed before its first checkpoint could not tell
            with checkpoints_of(run, experiment_name, experiment) as checkpoints:
                checkpoints.save(prepared.plan.shared(prepared.state))
        _train(experiment, experiment_name, data, prepared, run, guards)
    return run


def resume(
    saved: SavedRun, experiment: Experiment, devices: Devices = ONE, guards: Guards = NO_GUARDS
) -> Run:
    """Go on with a run from its newest checkpoint; `experiment` may differ in the fields of FREE.

    Raises UserError where another field differs, the data is not the same, or steps are too few.
    """
    changed = differences(saved.experiment, experiment)
    for field, (old, new) in changed.items():
        if field in FREE:
            continue
        flag = f"--{field}".replace("_", "-")
        raise UserError(
            f"{flag} is {old} in the run and {new} here: leave it out, or start another run."
        )
    with _writing(saved.run):
        _resume(saved, experiment, devices, guards)
    return saved.run


def _begun(prepared: Prepared, origin: Origin, root: Path, spec: Any) -> tuple[Prepared, dict]:
    """(what is prepared, with another run's weights; what origin.json says of them)."""
    saved = load_run(run_path(root, origin.run))
    here, there = (getattr(each, "tokenizer", None) for each in (spec, saved.spec))
    if origin.without is None and there is not None and here != there:
        raise UserError(
            f"{saved.run.folder} has another vocabulary than this data gives, and its tables' rows "
            "stand for other tokens: leave them out by --init-without, or train both on --tokenizer "
            "bytes."
        )
    _, state = restore(saved.experiment, saved)
    begun, left_out = begun_with(
        prepared.state, state.weights, origin.without, str(saved.run.folder), prepared.plan
    )
    with checkpoints_of(saved.run, saved.name, saved.experiment, reader=True) as checkpoints:
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
    with checkpoints_of(saved.run, saved.name, experiment) as checkpoints:
        if not checkpoints.is_empty:
            prepared = prepared._replace(state=checkpoints.restore(prepared.state))
        elif saved.run.origin.exists():
            raise UserError(
                f"{saved.run.folder} was ended before the weights that it begins with were saved: "
                "remove it, and start it again by --init-from."
            )
        else:
            _say(f"{saved.run.checkpoints} holds no checkpoint: starting again from step 0")
    done = int(prepared.state.step)
    if done:
        _say(f"going on from step {done}")
    if experiment.steps < done:
        raise UserError(f"--steps is {experiment.steps}, but the run has done {done}: give more.")
    if is_main():
        save_config(saved.run, saved.name, to_json(experiment))
    if done < experiment.steps:
        _train(experiment, saved.name, data, prepared, saved.run, guards)


def adopt(experiment: Experiment, experiment_name: str, root: Path, name: str, file: Path) -> Run:
    """Make a run of parameters that others trained: a finished one, for all that stands on runs.

    Nothing is written before data and parameters have been accepted.
    """
    refuse_extremes(experiment)
    refuse_existing(run_path(root, name))
    tensors = read_tensors(file)  # before a large model is made for a file that holds none
    with let_through():
        data = experiment.load()
    prepared = prepare(experiment, data)
    task, state = prepared.task, prepared.state
    params = own(task, "adopt", experiment)(tensors, file)
    params = jax.tree.map(jnp.asarray, params)
    ema = None if state.ema is None else params
    state = state._replace(params=params, ema=ema, step=jnp.int32(experiment.steps))
    spec = data.spec.to_json() | {"content": content(data)}
    run = create_run(root, name, experiment_name, to_json(experiment), spec)
    with _writing(run), checkpoints_of(run, experiment_name, experiment) as checkpoints:
        checkpoints.save(state)
    return run


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
    plan, most_steps = prepared.plan, prepared.feeding.most_steps
    every = experiment.checkpoint_every
    seconds = None if isinstance(every, int) else seconds_of(every)
    cadence = Cadence(
        experiment.steps, experiment.log_every, experiment.eval_every,
        every if isinstance(every, int) else experiment.steps,
        min(experiment.steps_per_dispatch, most_steps or experiment.steps_per_dispatch),
        seconds, guards.verify_steps,
    )  # fmt: skip
    _say(f"{plan.describe(prepared.state.params)}; {prepared.feeding.describe()}")
    checkpoints = checkpoints_of(run, name, experiment, prepared.task.best)
    with explained_memory(plan.shapes(prepared.task.init), plan, _remedies(experiment)):
        train(
            prepared, replace(data, test=held_out(experiment, data)), cadence, run, checkpoints,
            patience=experiment.skip_nonfinite, guards=guards,
            meter=meter_of(experiment, data.spec, plan),
        )  # fmt: skip


def _say(line: str) -> None:
    """A line for a person, once; a run goes on when nobody looks any more."""
    if is_main():
        with contextlib.suppress(BrokenPipeError):
            print(line, flush=True)


UNITS = {
    "images": "images",
    "text": "tokens",
    "points": "points",
    "audio": "clips",
    "captions": "images",
}
"""What an example of a kind of data is made of, or is."""


def meter_of(experiment: Experiment, spec: Any, plan: Plan) -> Meter:
    """What is said of a run's speed: a prototype without a cost table has no FLOPs."""
    try:
        flops = experiment.costs(spec).matmul_flops
    except UserError:
        flops = None
    unit = UNITS.get(experiment.kind, "examples")
    length = getattr(experiment, "seq_len", 1) if unit == "tokens" else 1
    configs = {
        field.name: value
        for field in fields(experiment)
        if isinstance(value := getattr(experiment, field.name), OptimizerConfig)
    }
    rates = {
        f"{name.removesuffix('optimizer')}learning_rate": config.rate
        for name, config in configs.items()
    }
    return Meter(unit, experiment.examples_per_step * length, flops, _peak(experiment, plan), rates)


def _peak(experiment: Experiment, plan: Plan) -> int | None:
    """The published FLOP/s of all devices in the dtype of the model's products."""
    accelerator = find_accelerator(plan.devices[0].device_kind)
    if accelerator is None:
        return None
    dtype = getattr(getattr(experiment, "model", None), "compute_dtype", "float32")
    peak = (
        accelerator.bfloat16_flops_per_second
        if dtype == "bfloat16"
        else accelerator.tensorfloat32_flops_per_second or accelerator.float32_flops_per_second
    )
    return None if peak is None else peak * len(plan.devices)
