"""From the pure step to the program that the devices run; the one file that knows devices.

- jit: one device.
- pmap: a copy of the state on every device, the batch split over them; gradients are averaged and
  metrics added by collectives that the step itself asks for.
- mesh: the same program as on one device, over arrays that are split along named axes; XLA inserts
  what devices must exchange. The batch is split over `data` and `fsdp`; over `fsdp` parameters and
  optimiser state too, gathered to compute with (Rajbhandari et al. 2020, ZeRO stage 3,
  https://arxiv.org/abs/1910.02054); over `model` the parts of a layer that the model names (Shoeybi et
  al. 2019, https://arxiv.org/abs/1909.08053).

A step draws its noise by the examples' places in the whole batch, so the result does not depend on the
number of devices, up to the order of float32 sums.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.errors import UserError
from jaxgen.training.metrics import Metrics
from jaxgen.training.sharding import AXES, check_batch, count_split, num_devices, parse_mesh, specs
from jaxgen.training.state import State
from jaxgen.training.step import Step

BATCH = "batch"  # the axis that pmap maps
WHOLE = PartitionSpec()


class Report(NamedTuple):
    """What the host may read of a dispatch while the next one runs."""

    metrics: Metrics  # of the last step
    step: Any  # steps done
    skipped: Any  # updates in a row that were not finite, up to the last step


@dataclass(frozen=True)
class Plan:
    """How steps are laid over the devices of `mesh`; made by `make_plan`."""

    kind: str
    mesh: Mesh
    model_axes: Mapping[str, int] = field(default_factory=dict)

    @property
    def devices(self) -> list:
        """All devices, those of other processes too."""
        return list(self.mesh.devices.flat)

    @property
    def batch_shards(self) -> int:
        """The number of parts that a batch is cut into."""
        return num_devices({axis: n for axis, n in self.mesh.shape.items() if axis != "model"})

    @property
    def spans_processes(self) -> bool:
        """Whether other processes take part."""
        return len({device.process_index for device in self.devices}) > 1

    @property
    def memory_bytes(self) -> int | None:
        """Of one device, a share of the host's where devices are parts of its CPU; None: not known."""
        device = next(d for d in self.devices if d.process_index == jax.process_index())
        stats = device.memory_stats() if device.platform != "cpu" else None
        if stats is not None:
            return stats.get("bytes_limit")
        if device.platform != "cpu" or "SC_PHYS_PAGES" not in os.sysconf_names:
            return None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(self._own_places())

    def describe(self, params: Any) -> str:
        """One line for a person."""
        devices = f"{self.kind} on {len(self.devices)} x {self.devices[0].device_kind}"
        if self.kind != "mesh":
            return devices
        split = count_split(specs(params, self.mesh.shape, self.model_axes))
        parts = [
            f"{split[axis]} of {len(jax.tree.leaves(params))} parameters split over {axis}={size}"
            for axis, size in self.mesh.shape.items()
            if axis != "data" and size > 1
        ]
        return ", ".join([f"{devices}: batch split in {self.batch_shards}", *parts])

    def shardings(self, state: State) -> Any:
        """Where each leaf of a state, or of its shapes, lies."""
        if self.kind != "mesh":
            return jax.tree.map(lambda _: self._sharding(WHOLE), state)
        return self._place(specs(state, self.mesh.shape, self.model_axes))

    def init(self, init: Callable, seed: int) -> State:
        """The state before the first step, made where it is to lie.

        Its key is threefry's, whatever jax's default: others, under vmap, draw for all examples at once.
        """
        key = jax.random.key(seed, impl="threefry2x32")
        places = jax.tree.map(lambda leaf: leaf.sharding, self.shapes(init))
        return jax.jit(init, out_shardings=places)(key)

    def shapes(self, init: Callable) -> State:
        """The shapes of the state that `init` would make, and where they are to lie."""
        shapes = jax.eval_shape(init, jax.random.key(0, impl="threefry2x32"))
        return jax.tree.map(
            lambda leaf, place: leaf.update(sharding=place), shapes, self.shardings(shapes)
        )

    def put_arrays(self, arrays: dict) -> dict:
        """A data set's arrays, whole on every device."""
        return jax.device_put(arrays, self._sharding(WHOLE))

    def local(self, tree: Any) -> Any:
        """A whole copy on this process's first device.

        Where a leaf is split over processes, all of them must ask.
        """

        def copy(leaf):
            if leaf.is_fully_replicated:
                return leaf.addressable_data(0)
            if leaf.is_fully_addressable:
                return jax.device_put(leaf, leaf.addressable_shards[0].device)
            return jnp.asarray(multihost_utils.process_allgather(leaf, tiled=True))

        return jax.tree.map(copy, tree)

    def shared(self, state: State) -> State:
        """The state as all processes hold it together; pmap gives each a copy of its own."""
        if self.kind != "pmap" or not self.spans_processes:
            return state

        def share(leaf):
            parts = [shard.data for shard in leaf.addressable_shards]
            return jax.make_array_from_single_device_arrays(
                leaf.shape, self._sharding(WHOLE), parts
            )

        return jax.tree.map(share, state)

    def any(self, flag: bool) -> Any:
        """Whether the flag is set in any process, to be read by bool() later; all must ask."""
        if not self.spans_processes:
            return flag
        flags = np.full(len(self._own_places()), flag)
        split = self._sharding(PartitionSpec(self.mesh.axis_names))
        return _any(jax.make_array_from_process_local_data(split, flags))

    def dispatch(
        self, step: Step, take: Callable, size: int, state: State, patience: int = 0
    ) -> Callable:
        """`dispatch(state, arrays, indices, count) -> (state, report)`; the state is donated.

        Runs `count` steps, at most `size`, of which step i trains on `take(arrays, indices[i])`; indices
        (size, B) are of whole batches. The count is an argument, not a constant, so one program serves
        every dispatch and a resumed run executes the same instructions as an uninterrupted one. More
        than `patience` steps in a row without a finite update end the dispatch early. `state` tells
        the shapes.
        """
        if self.kind == "jit":
            return jax.jit(_steps(step, take, size, patience), donate_argnums=0)
        if self.kind == "pmap":
            program = _steps(functools.partial(step, axis=BATCH), take, size, patience)
            mapped = self._pmap(program, (None, None, 1, None))
            return lambda state, arrays, indices, count: mapped(
                state, arrays, self.own_rows(indices, axis=1), count
            )
        program = _steps(self._gathered(step), take, size, patience)
        outputs = (self.shardings(state), self._sharding(WHOLE))
        jitted = jax.jit(program, donate_argnums=0, out_shardings=outputs)
        split = self._sharding(PartitionSpec(None, AXES[:2]))

        def run(state, arrays, indices, count):
            placed = jax.make_array_from_callback(indices.shape, split, indices.__getitem__)
            return jitted(state, arrays, placed, count)

        return run

    def single(self, step: Step, state: State, batch: dict) -> tuple[Callable, State, dict]:
        """(program of one step, state, batch), the last two as shapes that say where each part lies.

        For compiling without running; the state is donated.
        """

        def shape(leaf, sharding):
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        state = jax.tree.map(shape, state, self.shardings(state))
        if self.kind == "pmap":
            n, here = len(self.devices), len(self._own_places())
            batch = jax.tree.map(
                lambda a: jax.ShapeDtypeStruct((here, a.shape[0] // n, *a.shape[1:]), a.dtype),
                batch,
            )
            return self._pmap(functools.partial(step, axis=BATCH), (None, 0)), state, batch
        if self.kind == "jit":
            batch = jax.tree.map(lambda a: shape(a, self._sharding(WHOLE)), batch)
            return jax.jit(step, donate_argnums=0), state, batch
        batch = jax.tree.map(lambda a: shape(a, self._sharding(PartitionSpec(AXES[:2]))), batch)
        outputs = (self.shardings(state), self._sharding(WHOLE))
        return jax.jit(self._gathered(step), donate_argnums=0, out_shardings=outputs), state, batch

    def _sharding(self, spec: PartitionSpec) -> NamedSharding:
        return NamedSharding(self.mesh, spec)

    def _place(self, tree: Any) -> Any:
        is_leaf = lambda leaf: isinstance(leaf, PartitionSpec)  # noqa: E731
        return jax.tree.map(self._sharding, tree, is_leaf=is_leaf)

    def _gathered(self, step: Step) -> Step:
        """The step on parameters that are whole along `fsdp`, while what it returns is split again.

        What it draws for each example is split as the batch is.
        """
        step = functools.partial(step, axis=self._sharding(PartitionSpec(AXES[:2])))
        if self.mesh.shape["fsdp"] == 1:
            return step
        sizes = {**self.mesh.shape, "fsdp": 1}

        def run(state, batch):
            places = self._place(specs(state.params, sizes, self.model_axes))
            params = lax.with_sharding_constraint(state.params, places)
            return step(state._replace(params=params), batch)

        return run

    def _pmap(self, program: Callable, in_axes: tuple) -> Callable:
        return jax.pmap(
            program, BATCH, in_axes=in_axes, out_axes=None, donate_argnums=0, devices=self.devices
        )

    def own_rows(self, array: np.ndarray, axis: int) -> np.ndarray:
        """The parts of an array, cut along an axis, for this process's devices; one axis more."""
        n = len(self.devices)
        shape = (*array.shape[:axis], n, array.shape[axis] // n, *array.shape[axis + 1 :])
        return np.take(array.reshape(shape), self._own_places(), axis=axis)

    def _own_places(self) -> list[int]:
        """Where this process's devices stand among all."""
        own = jax.process_index()
        return [i for i, device in enumerate(self.devices) if device.process_index == own]


_any = jax.jit(jnp.any)


def wait_for_all(what: str) -> None:
    """Return when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def make_plan(
    parallel: str | None,
    mesh: str | None,
    *,
    batch_size: int,
    accumulate: int = 1,
    model_axes: Mapping[str, int] | None = None,
    devices: Sequence | None = None,
) -> Plan:
    """The plan that was asked for, or the usual one: jit on one device, pmap on several of one host,
    mesh over several hosts.

    Raises UserError where devices, mesh and batch do not fit each other.
    """
    # Those of one process side by side, as pmap wants them.
    devices = sorted(devices or jax.devices(), key=lambda device: device.process_index)
    hosts = len({device.process_index for device in devices})
    if parallel is None:
        several = "mesh" if mesh or hosts > 1 else "pmap"
        parallel = several if mesh or len(devices) > 1 else "jit"
    if mesh is not None and parallel != "mesh":
        raise UserError(f"--mesh {mesh} belongs to --parallel mesh, not {parallel}: leave it out.")
    if parallel == "jit":
        if hosts > 1:
            raise UserError("--parallel jit is for one process: choose pmap or mesh.")
        devices = devices[:1]
    sizes, names = (len(devices),), (BATCH,)
    if parallel == "mesh":
        wanted = parse_mesh(mesh) if mesh else {"data": len(devices), "fsdp": 1, "model": 1}
        if num_devices(wanted) != len(devices):
            raise UserError(
                f"--mesh {mesh} is of {num_devices(wanted)} devices, but there are {len(devices)}: "
                "choose sizes whose product is that."
            )
        sizes, names = tuple(wanted.values()), AXES
    grid = jax.make_mesh(sizes, names, devices=devices, axis_types=(AxisType.Auto,) * len(sizes))
    plan = Plan(parallel, grid, model_axes or {})
    check_batch(batch_size, plan.batch_shards, accumulate)
    return plan


def _steps(step: Callable, take: Callable, size: int, patience: int) -> Callable:
    """The program of a dispatch, see `Plan.dispatch`."""

    def program(state: State, arrays: dict, indices, count):
        def run(state, i):
            return step(state, take(arrays, indices[i]))

        if size == 1:  # no loop: XLA's CPU convolutions are several times slower inside one
            state, metrics = run(state, 0)
            return state, Report(metrics, state.step, state.skipped)

        def goes_on(carry):
            i, state, _ = carry
            return (i < count) & (state.skipped <= patience)

        def body(carry):
            i, state, _ = carry
            return i + 1, *run(state, i)

        shapes = jax.eval_shape(run, state, 0)[1]
        metrics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        _, state, metrics = lax.while_loop(goes_on, body, (0, state, metrics))
        return state, Report(metrics, state.step, state.skipped)

    return program
