"""Where a run is judged, drawn, logged and shown to a person."""

import time
from typing import Any

import jax

from jaxgen.devices.plan import Plan, Report
from jaxgen.devices.processes import is_main
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.durable import naming
from jaxgen.runs.log import MetricsLog
from jaxgen.runs.meter import Meter
from jaxgen.runs.progress import Progress
from jaxgen.runs.run import Run
from jaxgen.training.metrics import to_floats
from jaxgen.training.state import State
from jaxgen.training.task import Task

LIMITING = 0.1
"""The share of time spent in waiting for data from which on a person is told."""


class Desk:
    """Judges, draws, logs and shows; in all but the first process it only takes part in copying."""

    def __init__(
        self, task: Task, held_out: Any, cadence: Cadence, run: Run, plan: Plan, state: State,
        meter: Meter,
    ):  # fmt: skip
        self._task, self._held_out, self._cadence = task, held_out, cadence
        self._run, self._plan = run, plan
        # No step's key: steps stay below 2^31 - 1.
        self._key = jax.random.fold_in(plan.local(state.key), 2**31 - 1)
        self._away = 0.0  # seconds spent beside training: held-out data, samples
        self._waited = self._last_waited = 0.0  # of the rest: for data
        self._last = 0.0
        self._start = time.perf_counter()
        first_step = self._last_step = int(state.step)
        self._meter, self._is_first = meter, True
        self._log = MetricsLog(run, first_step) if is_main() else None
        self._progress = Progress(first_step, cadence.steps, shown=is_main(), judged=task.best)

    def __enter__(self) -> "Desk":
        self._progress.__enter__()
        return self

    def __exit__(self, *error):
        self._progress.__exit__(*error)
        if self._log:
            self._log.__exit__(*error)

    def advance(self, step: int, waited: float) -> None:
        """The device has been given the steps up to this one; for data it waited so many seconds."""
        self._waited = waited
        self._progress.advance(step)

    def say(self, line: str) -> None:
        """A line for a person."""
        self._progress.say(line)

    def sync(self) -> None:
        """Return when what was logged is on the disk: a step that is saved is logged no second time."""
        if self._log:
            self._log.sync()

    def is_due(self, step: int) -> bool:
        """Whether this step is logged or judged."""
        cadence = self._cadence
        return any(cadence.is_due(step, every) for every in (cadence.log_every, cadence.eval_every))

    def take(self, step: int, state: State, report: Report) -> dict[str, float]:
        """Write down what is due after a step; returns the held-out metrics, if it was judged."""
        held_out: dict[str, float] = {}
        if not self.is_due(step):
            return held_out
        values, skipped = to_floats(report.metrics), int(report.skipped)
        if skipped:
            values = {"skipped": skipped}
        paused = time.perf_counter()
        if self._cadence.is_due(step, self._cadence.eval_every):
            weights = self._plan.local(state.weights)
            if self._log and self._task.evaluate:
                judged = self._task.evaluate(weights, self._held_out)
                held_out = {f"eval/{name}": float(value) for name, value in judged.items()}
                values |= held_out
            if self._log and self._task.sample:
                path = self._run.sample_path(step)
                with naming(path):
                    drawn = self._task.sample(weights, self._key, path)
                self._log.show(step, drawn)
        self._away += time.perf_counter() - paused
        if self._log:
            seconds = time.perf_counter() - self._start - self._away
            speed = self._meter.speed(step - self._last_step, seconds - self._last)
            speed = {} if self._is_first else speed  # it holds the compilation
            values |= self._meter.rates_of(step)
            self._log.write(step, values | speed, seconds)
            self._progress.show(step, values, speed)
            self._last_step, self._is_first = step, False
            waited = (self._waited - self._last_waited) / (seconds - self._last)
            if waited > LIMITING:
                self._progress.say(
                    f"the data limits this run: {waited:.0%} of the time since the last "
                    "line went by in waiting for batches"
                )
            self._last, self._last_waited = seconds, self._waited
        return held_out
