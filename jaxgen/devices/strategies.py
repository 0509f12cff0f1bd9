"""The three ways to lay a step over devices.

- jit: one device.
- pmap: a copy of the state on every device, the batch split over them; gradients are averaged and
  metrics added by collectives that the step itself asks for.
- mesh: the same program as on one device, over arrays that are split along named axes; XLA inserts
  what devices must exchange. The batch is split over `data` and `fsdp`; over `fsdp` parameters and
  optimiser state too, gathered to compute with (Rajbhandari et al. 2020, ZeRO stage 3,
  https://arxiv.org/abs/1910.02054); over `model` the parts of a layer that the model names (Shoeybi et
  al. 2019, https://arxiv.org/abs/1909.08053).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from jaxgen.devices.plan import WHOLE, Plan, many_steps, shape_at
from jaxgen.devices.sharding import AXES, count_split, specs
from jaxgen.training.batch import DEVICES
from jaxgen.training.state import State
from jaxgen.training.step import Step

BATCH = PartitionSpec(AXES[:2])


@dataclass(frozen=True)
class OneDevice(Plan):
    """`jit`."""

    kind: ClassVar[str] = "jit"

    def dispatch(
        self, step: Step, take: Callable, size: int, state: State, patience: int = 0
    ) -> Callable:
        """As `Plan.dispatch`."""
        return jax.jit(many_steps(step, take, size, patience), donate_argnums=0)

    def single(self, step: Step, state: State, batch: dict) -> tuple[Callable, State, dict]:
        """As `Plan.single`."""
        return (
            jax.jit(step, donate_argnums=0),
            self._shaped(state, WHOLE),
            self._shaped(batch, WHOLE),
        )


@dataclass(frozen=True)
class Copies(Plan):
    """`pmap`."""

    kind: ClassVar[str] = "pmap"

    def shared(self, state: State) -> State:
        """The state as all processes hold it together; each has a copy of its own."""
        if not self.spans_processes:
            return state

        def share(leaf):
            parts = [shard.data for shard in leaf.addressable_shards]
            return jax.make_array_from_single_device_arrays(
                leaf.shape, self._sharding(WHOLE), parts
            )

        return jax.tree.map(share, state)

    def dispatch(
        self, step: Step, take: Callable, size: int, state: State, patience: int = 0
    ) -> Callable:
        """As `Plan.dispatch`."""
        program = many_steps(functools.partial(step, axis=DEVICES), take, size, patience)
        return self._pmap(program, (None, None, 1, None))

    def place(self, indices: np.ndarray, fetch: Callable = lambda indices: indices) -> Any:
        """As `Plan.place`; pmap itself sends each device its part."""
        return fetch(self.own_rows(indices, axis=1))

    def single(self, step: Step, state: State, batch: dict) -> tuple[Callable, State, dict]:
        """As `Plan.single`."""
        n, here = len(self.devices), len(self._own_places())
        batch = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((here, a.shape[0] // n, *a.shape[1:]), a.dtype), batch
        )
        program = self._pmap(functools.partial(step, axis=DEVICES), (None, 0))
        return program, self._shaped(state, WHOLE), batch

    def own_rows(self, array: np.ndarray, axis: int) -> np.ndarray:
        """The parts of an array, cut along an axis, for this process's devices; one axis more."""
        n = len(self.devices)
        shape = (*array.shape[:axis], n, array.shape[axis] // n, *array.shape[axis + 1 :])
        return np.take(array.reshape(shape), self._own_places(), axis=axis)

    def _pmap(self, program: Callable, in_axes: tuple) -> Callable:
        return jax.pmap(
            program, DEVICES, in_axes=in_axes, out_axes=None, donate_argnums=0, devices=self.devices
        )


@dataclass(frozen=True)
class Split(Plan):
    """`mesh`."""

    kind: ClassVar[str] = "mesh"

    def describe(self, params: Any) -> str:
        """One line for a person, with how many parameters are split over what."""
        split = count_split(specs(params, self.mesh.shape, self.model_axes))
        parts = [
            f"{split[axis]} of {len(jax.tree.leaves(params))} parameters split over {axis}={size}"
            for axis, size in self.mesh.shape.items()
            if axis != "data" and size > 1
        ]
        return ", ".join(
            [f"{super().describe(params)}: batch split in {self.batch_shards}", *parts]
        )

    def shardings(self, state: State) -> Any:
        """Where each leaf of a state, or of its shapes, lies."""
        return self._place(specs(state, self.mesh.shape, self.model_axes))

    def dispatch(
        self, step: Step, take: Callable, size: int, state: State, patience: int = 0
    ) -> Callable:
        """As `Plan.dispatch`."""
        program = many_steps(self._gathered(step), take, size, patience)
        outputs = (self.shardings(state), self._sharding(WHOLE))
        return jax.jit(program, donate_argnums=0, out_shardings=outputs)

    def place(self, indices: np.ndarray, fetch: Callable = lambda indices: indices) -> Any:
        """As `Plan.place`; what several devices hold alike is fetched once."""
        split = self._sharding(PartitionSpec(None, AXES[:2]))
        parts: Any = split.addressable_devices_indices_map(indices.shape)
        columns = {device: part[1].indices(indices.shape[1]) for device, part in parts.items()}
        fetched = {part: fetch(indices[:, slice(*part)]) for part in set(columns.values())}

        def join(*leaves):
            own = dict(zip(fetched, leaves, strict=True))
            shards = [jax.device_put(own[part], device) for device, part in columns.items()]
            shape = (*indices.shape, *leaves[0].shape[2:])
            return jax.make_array_from_single_device_arrays(shape, split, shards)

        return jax.tree.map(join, *fetched.values())

    def single(self, step: Step, state: State, batch: dict) -> tuple[Callable, State, dict]:
        """As `Plan.single`."""
        outputs = (self.shardings(state), self._sharding(WHOLE))
        return (
            jax.jit(self._gathered(step), donate_argnums=0, out_shardings=outputs),
            jax.tree.map(shape_at, state, self.shardings(state)),
            self._shaped(batch, BATCH),
        )

    def _gathered(self, step: Step) -> Step:
        """The step on parameters that are whole along `fsdp`, while what it returns is split again.

        What it draws for each example is split as the batch is. It is traced in the mesh's context: a
        layer whose kernel the compiler cannot split finds there the axes to split it by.
        """
        step = functools.partial(step, axis=self._sharding(BATCH))
        sizes = {**self.mesh.shape, "fsdp": 1}

        def run(state, batch):
            if self.mesh.shape["fsdp"] > 1:
                places = self._place(specs(state.params, sizes, self.model_axes))
                params = lax.with_sharding_constraint(state.params, places)
                state = state._replace(params=params)
            # Or the compiler splits one that was gathered here unlike one that came in parts.
            batch = lax.with_sharding_constraint(batch, self._sharding(BATCH))
            with jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh):
                return step(state, batch)

        return run

    def _place(self, tree: Any) -> Any:
        is_leaf = lambda leaf: isinstance(leaf, PartitionSpec)  # noqa: E731
        return jax.tree.map(self._sharding, tree, is_leaf=is_leaf)
