"""The real step over several devices by sharding its arguments; XLA inserts what they must exchange.

- mesh: each device holds the whole state and a part of the batch (data parallelism).
- zero: the state is spread over the devices as well, and parameters are gathered to compute with
  (Rajbhandari et al. 2020, ZeRO, https://arxiv.org/abs/1910.02054).

The step is the one that trains on one device: sums over the batch are over the whole batch, so the
result does not depend on the number of devices.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgen.data import Data
from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment

Parallel = Literal["mesh", "zero"]


class Shapes(NamedTuple):
    """A step with the shapes of its arguments."""

    step: Callable
    state: Any
    batch: Any


def step_shapes(experiment: Experiment, data: Data) -> Shapes:
    """The real step of an experiment; nothing is computed."""
    task = experiment.build(data.spec)
    indices = jax.ShapeDtypeStruct((experiment.batch_size,), np.int32)
    arrays = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), data.train.arrays)
    batch = jax.eval_shape(data.train.take, arrays, indices)
    return Shapes(task.step, jax.eval_shape(task.init, jax.random.key(0)), batch)


def shard(shapes: Shapes, devices: Sequence, parallel: Parallel) -> tuple[Callable, Any, Any]:
    """(jitted step, state, batch), both as shapes that say where each part lies; state is donated.

    Raises UserError where the devices do not divide the batch.
    """
    count = len(devices)
    batch_size = jax.tree.leaves(shapes.batch)[0].shape[0]
    if batch_size % count:
        raise UserError(
            f"{count} devices do not divide a batch of {batch_size}: give a --batch-size that is a "
            f"multiple of {count}."
        )
    mesh = Mesh(np.asarray(devices), ("data",))
    whole = NamedSharding(mesh, PartitionSpec())

    def placed(leaf, spec):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    def step(state, batch):
        if parallel == "zero":
            state = state._replace(params=jax.lax.with_sharding_constraint(state.params, whole))
        return shapes.step(state, batch)

    spread = parallel == "zero"
    state = jax.tree.map(
        lambda a: placed(a, _spec(a, count) if spread else PartitionSpec()), shapes.state
    )
    batch = jax.tree.map(lambda a: placed(a, PartitionSpec("data")), shapes.batch)
    outputs = (jax.tree.map(lambda leaf: leaf.sharding, state), whole)
    return jax.jit(step, donate_argnums=0, out_shardings=outputs), state, batch


def _spec(leaf: Any, count: int) -> PartitionSpec:
    """Spread over the longest axis that the devices divide; whole where there is none."""
    axes = [axis for axis, size in enumerate(leaf.shape) if size % count == 0]
    if not axes:
        return PartitionSpec()
    longest = max(axes, key=lambda axis: leaf.shape[axis])
    return PartitionSpec(*[None] * longest, "data")
