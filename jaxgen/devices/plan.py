"""From the pure step to the program that the devices run: what all plans have in common.

A step draws its noise by the examples' places in the whole batch, so the result does not depend on the
number of devices, up to the order of float32 sums. `strategies.py` has the three ways to lay a step over
devices, `choose.py` picks one.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgen.devices.sharding import num_devices
from jaxgen.training.metrics import Metrics
from jaxgen.training.state import State
from jaxgen.training.step import Step

WHOLE = PartitionSpec()
ONCE_ON_CPU = {"xla_backend_optimization_level": 1}
"""For a program that runs once: its code is made in less time, for the same bits.

LLVM's full optimisation takes longest on programs of many random draws, which is what an init is.
"""


class Report(NamedTuple):
    """What the host may read of a dispatch while the next one runs."""

    metrics: Metrics  # of the last step
    step: Any  # steps done
    skipped: Any  # updates in a row that were not finite, up to the last step


@dataclass(frozen=True)
class Plan(ABC):
    """How steps are laid over the devices of `mesh`; made by `make_plan`."""

    mesh: Mesh
    model_axes: Mapping[str, int] = field(default_factory=dict)
    kind: ClassVar[str]

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
        return f"{self.kind} on {len(self.devices)} x {self.devices[0].device_kind}"

    def shardings(self, state: State) -> Any:
        """Where each leaf of a state, or of its shapes, lies."""
        return jax.tree.map(lambda _: self._sharding(WHOLE), state)

    def init(self, init: Callable, seed: int) -> State:
        """The state before the first step, made where it is to lie.

        Its key is threefry's, whatever jax's default: others, under vmap, draw for all examples at once.
        """
        key = jax.random.key(seed, impl="threefry2x32")
        places = jax.tree.map(lambda leaf: leaf.sharding, self.shapes(init))
        on_cpu = self.devices[0].platform == "cpu"
        hasty = on_cpu and not jax.config.read("jax_disable_most_optimizations")
        options = ONCE_ON_CPU if hasty else None
        return jax.jit(init, out_shardings=places, compiler_options=options)(key)

    def shapes(self, init: Callable) -> State:
        """The shapes of the state that `init` would make, and where they are to lie."""
        shapes = jax.eval_shape(init, jax.random.key(0, impl="threefry2x32"))
        return jax.tree.map(
            lambda leaf, place: leaf.update(sharding=place), shapes, self.shardings(shapes)
        )

    def put_arrays(self, arrays: dict) -> dict:
        """A data set's arrays, or what is like arrays, whole on every device."""
        whole = {name: np.asarray(array) for name, array in arrays.items()}
        return jax.device_put(whole, self._sharding(WHOLE))

    def place(self, indices: np.ndarray, fetch: Callable = lambda indices: indices) -> Any:
        """What a dispatch is fed with, laid on the devices as its batches are.

        `fetch(indices)` makes of indices of any shape a tree of arrays that begin with it; this process
        fetches for its own devices only. Without it the indices are placed.
        """
        return jax.device_put(fetch(indices), self._sharding(WHOLE))

    def placed(self, value: np.ndarray, like: Any) -> Any:
        """A leaf's value, known whole to each process, where the leaf `like` lies."""
        return jax.device_put(value, like.sharding)

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
        """The state as all processes hold it together."""
        return state

    def any(self, flag: bool) -> Any:
        """Whether the flag is set in any process, to be read by bool() later; all must ask."""
        if not self.spans_processes:
            return flag
        flags = np.full(len(self._own_places()), flag)
        split = self._sharding(PartitionSpec(self.mesh.axis_names))
        return _any(jax.make_array_from_process_local_data(split, flags))

    @abstractmethod
    def dispatch(
        self, step: Step, take: Callable, size: int, state: State, patience: int = 0
    ) -> Callable:
        """`dispatch(state, arrays, feed, count) -> (state, report)`; the state is donated.

        Runs `count` steps, at most `size`, of which step i trains on `take(arrays, feed[i])`. The feed,
        made by `place`, holds for each of `size` steps the indices (B,) of its batch, or a tree of what
        was fetched for them. The count is an argument, not a constant, so one program serves
        every dispatch and a resumed run executes the same instructions as an uninterrupted one. More
        than `patience` steps in a row without a finite update end the dispatch early. `state` tells
        the shapes.
        """

    @abstractmethod
    def single(self, step: Step, state: State, batch: dict) -> tuple[Callable, State, dict]:
        """(program of one step, state, batch), the last two as shapes that say where each part lies.

        For compiling without running; the state is donated.
        """

    def _sharding(self, spec: PartitionSpec) -> NamedSharding:
        return NamedSharding(self.mesh, spec)

    def _shaped(self, tree: Any, spec: PartitionSpec) -> Any:
        """Shapes that all lie as `spec` has it."""
        place = self._sharding(spec)
        return jax.tree.map(lambda leaf: shape_at(leaf, place), tree)

    def _own_places(self) -> list[int]:
        """Where this process's devices stand among all."""
        own = jax.process_index()
        return [i for i, device in enumerate(self.devices) if device.process_index == own]


_any = jax.jit(jnp.any)


def shape_at(leaf: Any, place: NamedSharding) -> jax.ShapeDtypeStruct:
    """The leaf's shape, and where it lies."""
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


def many_steps(step: Callable, take: Callable, size: int, patience: int) -> Callable:
    """The program of a dispatch, see `Plan.dispatch`."""

    def program(state: State, arrays: dict, feed, count):
        def run(state, i):
            return step(state, take(arrays, jax.tree.map(lambda leaf: leaf[i], feed)))

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
