"""The loop: dispatch steps, log, look at held-out data, checkpoint. It knows no mathematics."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.log import MetricsLog, plot_curves
from jaxgen.training.metrics import to_floats
from jaxgen.training.parallel import make_dispatch, put_arrays
from jaxgen.training.progress import Progress
from jaxgen.training.run import Run
from jaxgen.training.state import State
from jaxgen.training.task import Task


@dataclass(frozen=True)
class Cadence:
    """When a run logs, looks and saves, in steps; each also happens at the last step."""

    steps: int
    log_every: int
    eval_every: int
    checkpoint_every: int
    steps_per_dispatch: int

    def is_due(self, step: int, every: int) -> bool:
        """True at every multiple, and at the end."""
        return step % every == 0 or step == self.steps

    def next_count(self, step: int) -> int:
        """Steps of the dispatch that starts at `step`: up to the next boundary, or a full one."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        return min(
            self.steps - step,
            self.steps_per_dispatch,
            *(every - step % every for every in periods),
        )


def train(
    task: Task, state: State, data: Any, order: Callable, cadence: Cadence, run: Run, keep: int
) -> State:
    """Train from `state` to the last step and return the state there; everything is saved in `run`.

    `data` has the splits `train` and `test`; `order(step, count)` gives the training examples of
    the steps from `step` on, (count, B).
    """
    dispatch = make_dispatch(task.step, data.train.take, cadence.steps_per_dispatch)
    arrays = put_arrays(data.train.arrays)
    sample_key = jax.random.fold_in(
        state.key, 2**31 - 1
    )  # no step's key: steps stay below 2^31 - 1
    step = first_step = int(state.step)
    away = 0.0  # seconds spent beside training: held-out data, samples
    start = time.perf_counter()
    with (
        Checkpoints(run.checkpoints, keep) as checkpoints,
        MetricsLog(run, first_step) as log,
        Progress(first_step, cadence.steps) as progress,
    ):
        metrics = None
        while step < cadence.steps:
            count = cadence.next_count(step)
            indices = order(step, cadence.steps_per_dispatch)
            jax.block_until_ready(metrics)  # one dispatch ahead of the device, never a queue
            state, metrics = dispatch(state, arrays, indices, np.int32(count))
            step += count
            progress.advance(step)
            evaluate = cadence.is_due(step, cadence.eval_every)
            if evaluate or cadence.is_due(step, cadence.log_every):
                values = _checked(to_floats(metrics), step)
                paused = time.perf_counter()
                if evaluate:
                    held_out = task.evaluate(state.params, data.test)
                    values |= {f"eval/{name}": value for name, value in held_out.items()}
                    task.sample(state.params, sample_key, run.sample_path(step))
                away += time.perf_counter() - paused
                log.write(step, values, time.perf_counter() - start - away)
                progress.show(step, values)
            if cadence.is_due(step, cadence.checkpoint_every):
                checkpoints.save(state)
    plot_curves(run)
    return state


def _checked(values: dict[str, float], step: int) -> dict[str, float]:
    for name, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} is {value} at step {step}: the run has diverged; lower "
                "--optimizer.learning-rate or set --optimizer.clip-norm."
            )
    return values
