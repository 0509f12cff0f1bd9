"""The loop: dispatch steps, log, look at held-out data, checkpoint. It knows no mathematics."""

import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgen.errors import Interrupted, UserError
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
            self.steps - step, self.dispatch_size, *(every - step % every for every in periods)
        )

    @property
    def dispatch_size(self) -> int:
        """The most steps that a dispatch can have: no longer than the shortest period."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        return min(self.steps_per_dispatch, *periods)


def train(
    task: Task, state: State, data: Any, order: Callable, cadence: Cadence, run: Run, keep: int
) -> State:
    """Train from `state` to the last step and return the state there; everything is saved in `run`.

    `data` has the splits `train` and `test`; `order(step, count)` gives the training examples of
    the steps from `step` on, (count, B). Ctrl-C and SIGTERM end the steps under way, save the state
    and raise Interrupted; a second Ctrl-C ends at once.
    """
    dispatch = make_dispatch(task.step, data.train.take, cadence.dispatch_size)
    arrays = put_arrays(data.train.arrays)
    sample_key = jax.random.fold_in(state.key, 2**31 - 1)  # no step's: they stay below 2^31 - 1
    step = first_step = int(state.step)
    away = 0.0  # seconds spent beside training: held-out data, samples
    start = time.perf_counter()
    with (
        Checkpoints(run.checkpoints, keep) as checkpoints,
        MetricsLog(run, first_step) as log,
        Progress(first_step, cadence.steps) as progress,
        StopRequest() as stop,
    ):
        metrics = None
        while step < cadence.steps:
            count = cadence.next_count(step)
            indices = order(step, cadence.dispatch_size)
            jax.block_until_ready(metrics)  # one dispatch ahead of the device, never a queue
            state, metrics = dispatch(state, arrays, indices, np.int32(count))
            step += count
            progress.advance(step)
            evaluate = cadence.is_due(step, cadence.eval_every)
            if evaluate or cadence.is_due(step, cadence.log_every):
                values = to_floats(metrics)
                paused = time.perf_counter()
                if evaluate:
                    held_out = task.evaluate(state.params, data.test)
                    values |= {f"eval/{name}": value for name, value in held_out.items()}
                    task.sample(state.params, sample_key, run.sample_path(step))
                away += time.perf_counter() - paused
                _check_finite(values, step)
                log.write(step, values, time.perf_counter() - start - away)
                progress.show(step, values)
            if cadence.is_due(step, cadence.checkpoint_every):
                checkpoints.save(state)
            if stop.requested and step < cadence.steps:
                checkpoints.save(state)
                raise Interrupted(
                    f"stopped at step {step}, which is saved: go on by --resume {run.folder.name}"
                )
    plot_curves(run)
    return state


def _check_finite(values: dict[str, float], step: int) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} is {value} at step {step}: the run has diverged; start another --name with a "
                "lower --optimizer.learning-rate or with --optimizer.clip-norm."
            )


class StopRequest:
    """Whether Ctrl-C or SIGTERM has come; the signals' own handlers are back after the first."""

    def __init__(self):
        self.requested = False
        self._handlers: dict = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():  # only it may set handlers
            signals = (signal.SIGINT, signal.SIGTERM)
            self._handlers = {number: signal.signal(number, self._note) for number in signals}
        return self

    def __exit__(self, *error):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _note(self, number, frame) -> None:
        self.requested = True
        self.__exit__()
