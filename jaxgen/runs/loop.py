"""The loop: dispatch steps, log, look at held-out data, checkpoint. It knows no mathematics."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgen.devices.feed import Where, make_feed
from jaxgen.devices.plan import Plan, Report
from jaxgen.devices.processes import is_main
from jaxgen.errors import Interrupted, NotSaved, UserError
from jaxgen.interrupts import Taken
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.durable import naming
from jaxgen.runs.log import MetricsLog, plot_curves
from jaxgen.runs.meter import Meter
from jaxgen.runs.options import NO_GUARDS, Guards
from jaxgen.runs.profile import Profile
from jaxgen.runs.progress import Progress
from jaxgen.runs.run import Run, going_on
from jaxgen.runs.verify import run_twice
from jaxgen.runs.watchdog import Watchdog
from jaxgen.training.metrics import to_floats
from jaxgen.training.state import State
from jaxgen.training.task import Task

NO_METER = Meter()
LIMITING = 0.1
"""The share of time spent in waiting for data from which on a person is told."""


@dataclass(frozen=True)
class Cadence:
    """When a run logs, looks and saves, in steps; each also happens at the last step."""

    steps: int
    log_every: int
    eval_every: int
    checkpoint_every: int
    steps_per_dispatch: int
    checkpoint_seconds: float | None = None  # since the last checkpoint: another reason for one
    verify_every: int = 0  # steps between two that are executed twice; 0: none is

    def is_due(self, step: int, every: int) -> bool:
        """True at every multiple, and at the end."""
        return step % every == 0 or step == self.steps

    def next_count(self, step: int) -> int:
        """Steps of the dispatch that starts at `step`: up to the next boundary, or a full one."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        count = min(
            self.steps - step, self.dispatch_size, *(every - step % every for every in periods)
        )
        if not self.verify_every:
            return count
        # The step that is executed twice is a dispatch of its own.
        return min(count, max(self.verify_every - step % self.verify_every - 1, 1))

    def verifies(self, step: int) -> bool:
        """Whether a step is executed twice."""
        return self.verify_every > 0 and step % self.verify_every == 0

    def dispatches(self, step: int) -> Iterator[tuple[int, int]]:
        """(first step, number of steps) of every dispatch from `step` on."""
        while step < self.steps:
            count = self.next_count(step)
            yield step, count
            step += count

    @property
    def dispatch_size(self) -> int:
        """The most steps that a dispatch can have: no longer than the shortest period."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        return min(self.steps_per_dispatch, *periods)


def train(
    task: Task,
    state: State,
    data: Any,
    order: Callable,
    cadence: Cadence,
    run: Run,
    plan: Plan,
    checkpoints: Checkpoints,
    patience: int = 0,
    where: Where = "device",
    meter: Meter = NO_METER,
    guards: Guards = NO_GUARDS,
) -> State:
    """Train from `state` to the last step and return the state there; everything is saved in `run`.

    `data` has the splits `train` and `test`; `order(step, count)` gives the training examples of
    the steps from `step` on, (count, B); `where` says how they come to the devices. Of several
    processes all train and save, the first judges, draws and logs. Ctrl-C and SIGTERM end the steps
    under way, save the state and raise Interrupted; a second Ctrl-C ends at once. Raises UserError where
    more than `patience` updates in a row are not finite, or where a step that was executed twice has
    other bits; the last checkpoint is of before. All is saved in `checkpoints` when this returns.
    `meter`: what else a line of metrics says.
    """
    size = cadence.dispatch_size
    step, report, saved_at = int(state.step), None, time.monotonic()
    feed = make_feed(where, plan, data.train, order, size, cadence.dispatches(step))
    dispatch = plan.dispatch(task.step, feed.take, size, state, patience)
    twice = functools.partial(run_twice, dispatch, plan.shared, checkpoints)
    with (
        Watchdog(run.folder, guards.watchdog, jax.process_index()) as watchdog,
        StopRequest() as stop,  # around the last save, which nothing but a second signal may cut short
        checkpoints,
        Desk(task, data.test, cadence, run, plan, state, meter) as desk,
        feed,
        Profile(run.folder, guards.profile if is_main() else 0) as profile,
    ):
        for first, count in cadence.dispatches(step):
            watchdog.at(f"in the steps behind {first}")
            fed = feed.next(first, count, report)
            _refuse_divergence(report, patience, checkpoints)
            execute = twice if cadence.verifies(first + count) else dispatch
            state, report = execute(state, feed.arrays, fed, np.int32(count))
            stop.listen()  # not before the steps are compiled: until then nothing is lost
            step = first + count
            recorded = profile.after(count, report)
            if recorded:
                desk.say(f"a trace of the steps up to {step} is in {recorded}")
            desk.advance(step, feed.waited)
            saves = cadence.is_due(step, cadence.checkpoint_every)
            if cadence.checkpoint_seconds is not None:
                late = time.monotonic() - saved_at >= cadence.checkpoint_seconds
                saves = saves or bool(plan.any(late))
            held_out: dict[str, float] = {}
            if saves or desk.is_due(step):
                _refuse_divergence(report, patience, checkpoints)
                watchdog.at(f"logging step {step}")
                held_out = desk.take(step, state, report)
            stopping = step < cadence.steps and bool(plan.any(stop.requested))
            if saves or stopping:
                watchdog.at(f"saving step {step}")
                desk.sync()
                saved_at = time.monotonic()
                checkpoints.save(plan.shared(state), held_out)
            if stopping:
                kept = checkpoints.latest if is_main() else step  # a full disk may have kept it off
                what = "which is saved" if kept == step else f"the last saved step is {kept}"
                raise Interrupted(f"stopped at step {step}, {what}: go on by {going_on(run)}")
        watchdog.at("saving the last step")
    if stop.requested:
        raise Interrupted(f"stopped behind the last step, {step}, which is saved")
    if is_main():
        with naming(run.curves):
            plot_curves(run)
        if checkpoints.latest != step:
            kept = checkpoints.latest or "none"
            raise NotSaved(
                f"{run.folder} has done its {step} steps, but the last that is saved is {kept}: make "
                f"room, and do the rest again by {going_on(run)}"
            )
    return state


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


def _refuse_divergence(report: Report | None, patience: int, checkpoints: Checkpoints) -> None:
    """Wait for a dispatch; raise where it ended in too many updates that were not finite."""
    if report is None or int(report.skipped) <= patience:
        return
    values = ", ".join(f"{name} {value:.4g}" for name, value in to_floats(report.metrics).items())
    saved = checkpoints.latest
    kept = f"the last good checkpoint is that of step {saved}" if saved else "nothing was saved yet"
    raise UserError(
        f"The loss or a gradient is not finite at step {int(report.step)} ({values}), so training "
        f"stopped before its update; {kept}: start another --name with a lower "
        "learning rate or with a clip norm, or let it pass by --skip-nonfinite."
    )


class StopRequest(Taken):
    """Whether Ctrl-C or SIGTERM has come; the next one ends the process, as before."""

    def __init__(self):
        super().__init__(self._note_wish, most=1.0)
        self.requested = False
        self._listens = False

    def listen(self) -> None:
        """From now on there is something to be saved: a signal is a wish, and not the end."""
        if not self._listens:
            self._listens = True
            super().__enter__()

    def __enter__(self) -> "StopRequest":
        return self

    def _note_wish(self, number: int) -> None:
        self.requested = True
