"""Our side, and all that is used of jaxgen's runner: a real step in the dispatch that trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from jaxgen import runner
from jaxgen.data import Data, Images, ImageSpec
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment


@dataclass(frozen=True)
class Case:
    """An experiment of `python train.py`, as it is or at other sizes."""

    experiment: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the experiment; where one holds a mapping, fields of that field's config."""
    image_side: int | None = None
    """Random images of so many pixels a side in place of the experiment's data."""
    tolerance: float = 1e-5
    """Of the losses' relative differences within five updates. optax takes 1 - 0.999^t in float32, which
    makes its first update 6e-6 too long; a learning rate 1 % higher makes 2e-3 in VAE and GAN."""

    def load(self) -> tuple[Experiment, Data]:
        """The experiment and its data."""
        experiment = find_preset(self.experiment).experiment
        changes = {
            name: replace(getattr(experiment, name), **value) if isinstance(value, dict) else value
            for name, value in self.changes.items()
        }
        experiment = replace(experiment, **changes)
        return experiment, random_images(self.image_side) if self.image_side else experiment.load()


def random_images(side: int, count: int = 4096) -> Data:
    """Grey images of random pixels: what a step costs does not depend on what they show."""
    levels = np.random.default_rng(0).integers(0, 256, (count, side, side, 1), np.uint8)
    images = Images({"image": levels}, 255)
    return Data(images, images, ImageSpec(side, side, 1, None))


class Ours:
    """An experiment in training: what its peer begins with, its draws, its losses, its steps."""

    def __init__(self, case: Case):
        experiment, data = case.load()
        # Any: each peer asks for what its own family's experiment and data have.
        self.experiment: Any = experiment
        self.data: Any = data
        self.tolerance = case.tolerance
        self.size = experiment.steps_per_dispatch
        self._task, self._order, plan, self._state, _ = runner.prepare(experiment, data)
        # Copies: the state is donated, and a peer must not write to what jax holds for constant.
        self.params = jax.tree.map(np.array, self._state.params)
        self.arrays = {name: np.array(array) for name, array in data.train.arrays.items()}
        self._placed = plan.put_arrays(data.train.arrays)
        self._dispatch = plan.dispatch(self._task.step, data.train.take, self.size, self._state)

    @property
    def flops(self) -> int:
        """Of a step's matmuls, by the cost table."""
        return self.experiment.costs(self.data.spec).matmul_flops

    def indices(self, first: int = 0) -> np.ndarray:
        """(size, B): the examples of a dispatch's steps from `first` on."""
        return self._order.indices_for(first, self.size)

    def run(self, steps: int) -> None:
        """Train on the first batches, over and over."""
        report = None
        while steps > 0:
            report = self._call(self.indices(), min(steps, self.size))
            steps -= self.size
        jax.block_until_ready(report)

    def losses(self, steps: int) -> list[dict[str, float]]:
        """The metrics of the next steps on their own batches, each dispatched alone."""
        found = []
        for _ in range(steps):
            metrics = self._call(self.indices(int(self._state.step)), 1).metrics
            found.append({name: float(mean.total / mean.count) for name, mean in metrics.items()})
        return found

    def draws(self, steps: int) -> list[list[np.ndarray]]:
        """For each of the next steps, all that it draws, in the order in which it does."""
        batch = self.data.train.take(self.arrays, self.indices()[0])
        program = jax.jit(draws_of(self._task.step, self._state, batch))
        numbers = int(self._state.step) + np.arange(steps)
        states = [self._state._replace(step=jnp.int32(number)) for number in numbers]
        return [[np.array(drawn) for drawn in program(state, batch)] for state in states]

    def _call(self, indices: np.ndarray, count: int) -> Any:
        self._state, report = self._dispatch(self._state, self._placed, indices, np.int32(count))
        return report


def draws_of(function, *arguments):
    """The function that returns all that `function(*arguments)` draws from jax.random, in order.

    It is cut out of the function's own jaxpr: a draw is a call, not within another one, in which random
    bits are made. So nothing has to be told of how keys are made or split.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    outputs = [
        eqn.outvars[0] for eqn in closed.jaxpr.eqns if "jaxpr" in eqn.params and _makes_bits(eqn)
    ]
    names = closed.jaxpr.debug_info._replace(result_paths=None)
    cut = closed.replace(jaxpr=closed.jaxpr.replace(outvars=outputs, debug_info=names))
    run = jaxpr_as_fun(cut)
    return lambda *arguments: run(*jax.tree.leaves(arguments))


def _makes_bits(eqn) -> bool:
    inner = getattr(eqn.params.get("jaxpr"), "eqns", ())
    return eqn.primitive.name == "random_bits" or any(_makes_bits(each) for each in inner)
