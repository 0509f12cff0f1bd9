"""The real step over devices that need not be there, as shapes that say where each part lies."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.data import Data
from jaxgen.devices.choose import make_plan
from jaxgen.families.base import Experiment
from jaxgen.training.task import Task


class Shapes(NamedTuple):
    """A task with the shapes of its step's arguments."""

    task: Task
    state: Any
    batch: Any
    accumulate: int


def step_shapes(experiment: Experiment, data: Data) -> Shapes:
    """The real step of an experiment; nothing is computed."""
    task = experiment.build(data.spec)
    indices = jax.ShapeDtypeStruct((experiment.batch_size,), np.int32)
    arrays = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), data.train.arrays)
    batch = jax.eval_shape(data.train.take, arrays, indices)
    state = jax.eval_shape(task.init, jax.random.key(0))
    return Shapes(task, state, batch, experiment.accumulate)


def shard(
    shapes: Shapes, devices: Sequence, parallel: str, mesh: str | None = None
) -> tuple[Callable, Any, Any]:
    """(program of one step, state, batch), to be lowered; the state is donated.

    Raises UserError where devices, mesh and batch do not fit each other.
    """
    plan = make_plan(
        parallel, mesh, devices=devices, batch_size=jax.tree.leaves(shapes.batch)[0].shape[0],
        accumulate=shapes.accumulate, model_axes=shapes.task.model_axes,
    )  # fmt: skip
    return plan.single(shapes.task.step, shapes.state, shapes.batch)
