"""The loop: dispatch steps, log, look at held-out data, checkpoint. It knows no mathematics."""

import functools
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.devices.feed import Feeding, make_feed
from jaxgen.devices.plan import Plan, Report
from jaxgen.devices.processes import is_main
from jaxgen.errors import Interrupted, NotSaved, UserError
from jaxgen.interrupts import Taken
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.desk import Desk
from jaxgen.runs.durable import naming
from jaxgen.runs.log import plot_curves
from jaxgen.runs.meter import Meter
from jaxgen.runs.options import NO_GUARDS, Guards
from jaxgen.runs.profile import Profile
from jaxgen.runs.run import Run, going_on
from jaxgen.runs.verify import run_twice
from jaxgen.runs.watchdog import Watchdog
from jaxgen.training.metrics import to_floats
from jaxgen.training.state import State
from jaxgen.training.task import Task

NO_METER = Meter()


class Prepared(NamedTuple):
    """All that a run needs before its first step.

    `order.indices_for(step, count)`: the training examples of the steps from `step` on, (count, B).
    """

    task: Task
    order: Any
    plan: Plan
    state: State
    feeding: Feeding


def train(
    prepared: Prepared,
    data: Any,
    cadence: Cadence,
    run: Run,
    checkpoints: Checkpoints,
    *,
    patience: int = 0,
    guards: Guards = NO_GUARDS,
    meter: Meter = NO_METER,
) -> State:
    """Train from the prepared state to the last step, and return the state there.

    `data` has the splits `train` and `test`; everything is saved in `run`. Of several processes all
    train and save, the first judges, draws and logs. Ctrl-C and SIGTERM end the steps under way, save
    the state and raise Interrupted; a second Ctrl-C ends at once. Raises UserError where more than
    `patience` updates in a row are not finite, or where a step that was executed twice has other bits;
    the last checkpoint is of before. All is saved in `checkpoints` when this returns; a step that is
    due is, even where its judging fails.
    `meter`: what else a line of metrics says.
    """
    task, order, plan, state, feeding = prepared
    size = cadence.dispatch_size
    step, report, saved_at = int(state.step), None, time.monotonic()
    feed = make_feed(
        feeding.where, plan, data.train, order.indices_for, size, cadence.dispatches(step)
    )
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
                try:
                    held_out = desk.take(step, state, report)
                except Exception:
                    if saves:  # in all processes alike, which ask each other the same before
                        _ = step < cadence.steps and plan.any(stop.requested)
                        checkpoints.save(plan.shared(state))
                    raise
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
    if is_main() and checkpoints.latest != step:
        kept = checkpoints.latest or "none"
        raise NotSaved(
            f"{run.folder} has done its {step} steps, but the last that is saved is {kept}: make room, "
            f"and do the rest again by {going_on(run)}"
        )
    if stop.requested:
        raise Interrupted(f"stopped behind the last step, {step}, which is saved")
    if is_main():
        with naming(run.curves):
            plot_curves(run)
    return state


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
