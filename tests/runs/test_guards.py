"""What a run looks out for: places that are never left, bits that differ, and the time since a save."""

import itertools
import json
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from jaxgen import reader, runner
from jaxgen.devices.parting import HUNG
from jaxgen.devices.strategies import OneDevice
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.runs import loop
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.manifest import by_path
from jaxgen.runs.meter import is_time
from jaxgen.runs.options import NO_GUARDS, Guards, RunOptions
from jaxgen.runs.watchdog import LEAST_SECONDS, Watchdog


def tiny(**fields):
    preset = find_preset("vae-digits").experiment
    model = replace(preset.model, hidden_sizes=(7,), latent_size=3)
    small = {
        "judge_samples": 0,
        "steps": 12,
        "batch_size": 8,
        "log_every": 1,
        "eval_every": 12,
        "checkpoint_every": 12,
    }
    return replace(preset, model=model, **(small | fields))


def start(experiment, root, name="run", guards=NO_GUARDS):
    return runner.start(experiment, "vae-digits", root, name, runner.ONE, guards)


def metrics(run):
    lines = map(json.loads, run.metrics.read_text().splitlines())
    return [{name: value for name, value in line.items() if not is_time(name)} for line in lines]


# ---- The watchdog


def a_place_that_is_never_left(ended):
    while not ended:
        time.sleep(0.01)


def test_a_place_that_is_never_left_is_told_with_the_stack(tmp_path, capsys):
    ended = []
    with Watchdog(tmp_path, 0.3, rank=2, end=ended.append) as watchdog:
        watchdog.at("saving step 40")
        a_place_that_is_never_left(ended)
    assert ended == [HUNG]
    text = (tmp_path / "hang-2.txt").read_text()
    assert "process 2 has been saving step 40 for 0 s" in text
    assert "in a_place_that_is_never_left" in text and "Thread" in text
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: process 2 has been saving step 40 for 0 s, and is ended: ")


def test_who_moves_on_is_left_alone(tmp_path):
    ended = []
    with Watchdog(tmp_path, 1.0, end=ended.append) as watchdog:
        for step in range(75):
            watchdog.at(f"in the steps behind {step}")
            time.sleep(0.02)
    time.sleep(0.5)  # and after the end too
    assert not ended and not list(tmp_path.iterdir())


def test_patience_grows_with_the_slowest_stay(tmp_path, monkeypatch):
    watchdog = Watchdog(tmp_path, None)
    assert watchdog.patience == LEAST_SECONDS
    clock = iter([0.0, *(2.0 * second for second in range(1, 200))])  # a look is 1 s, late ones 2 s
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    looks = iter(range(175))

    def look(seconds):  # 150 looks at one place, 25 at the next
        if next(looks) in (150, 170):
            watchdog.at("in the steps behind 1")
        return watchdog._slowest > 0 and watchdog.patience != LEAST_SECONDS

    monkeypatch.setattr(watchdog._done, "wait", look)
    watchdog._watch()
    assert watchdog.patience == 20 * 302  # 2 s of it before the look that found it left
    assert Watchdog(tmp_path, 7.0).patience == 7.0
    with Watchdog(tmp_path, 0.0) as off:
        assert not off._thread.is_alive()


HANGS = """
import sys, time
from dataclasses import replace
from pathlib import Path
from jaxgen import runner
from jaxgen.experiments.registry import find_preset
from jaxgen.families.vae import family
from jaxgen.runs.options import Guards
from jaxgen.runs.watchdog import Watchdog

preset = find_preset("vae-digits").experiment
build = type(preset).build
def lost(weights, data):
    Watchdog.patience = 1.0  # not before: the machine may be slow to compile
    time.sleep(1000)
type(preset).build = lambda *args: replace(build(*args), evaluate=lost)
runner.start(
    replace(
        preset, steps=4, eval_every=2, batch_size=8, judge_samples=0,
        model=preset.model.scaled(width=8, depth=1),
    ),
    "vae-digits", Path(sys.argv[1]), "run", guards=Guards(None, 0),
)
"""


@pytest.mark.first
def test_a_run_that_hangs_is_ended_and_can_be_resumed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HANGS, tmp_path], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == HUNG, done.stderr
    assert "error: process 0 has been logging step 2 for " in done.stderr
    assert "in lost" in (tmp_path / "run" / "hang-0.txt").read_text()
    saved = reader.load_run(tmp_path / "run")
    assert metrics(runner.resume(saved, saved.experiment))[-1]["step"] == 4


# ---- Steps that are executed twice


def test_a_step_executed_twice_changes_nothing(tmp_path):
    """Be it each or every fifth."""
    plain = start(tiny(log_every=4), tmp_path, "plain")
    for every in (1, 5):
        verified = start(tiny(log_every=4), tmp_path, f"every-{every}", Guards(0.0, every))
        assert metrics(verified) == metrics(plain)


def test_a_flipped_bit_in_memory_is_caught_and_its_leaf_named(tmp_path, monkeypatch):
    """In the 12th execution: of step 10, the second of the two that are executed twice."""
    executions, honest = [], OneDevice.dispatch

    def flipping(plan, *arguments):
        dispatch = honest(plan, *arguments)

        def execute(*given):
            state, report = dispatch(*given)
            executions.append(int(state.step))
            if len(executions) == 12:
                leaves, form = jax.tree.flatten(state.params)
                words = jax.lax.bitcast_convert_type(leaves[0], jnp.uint32)
                words = words.at[(0,) * words.ndim].set(words[(0,) * words.ndim] ^ 1)
                leaves[0] = jax.lax.bitcast_convert_type(words, jnp.float32)
                state = state._replace(params=jax.tree.unflatten(form, leaves))
            return state, report

        return execute

    monkeypatch.setattr(OneDevice, "dispatch", flipping)
    with pytest.raises(UserError) as caught:
        start(tiny(checkpoint_every=5), tmp_path, guards=Guards(0.0, 5))
    assert executions == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]
    saved = reader.load_run(tmp_path / "run")
    _, state = reader.restore(saved.experiment, saved)
    leaf = next(iter(by_path(state.params)))
    assert str(caught.value).startswith(
        f"Step 10, executed twice from one state, differs at params/{leaf}, so memory or a processor"
    )
    call = f"jaxgen.train('vae-digits', name='run', runs={str(tmp_path)!r}, resume=True)"
    assert str(caught.value).endswith(f"the last saved step is 5: go on, elsewhere, by {call}")


def test_dispatches_stop_before_the_step_that_is_executed_twice():
    cadence = Cadence(20, 50, 50, 50, 50, None, 7)
    counts, step = [], 0
    while step < 20:
        counts.append(cadence.next_count(step))
        step += counts[-1]
        assert counts[-1] == 1 or not cadence.verifies(step)
    assert counts == [6, 1, 6, 1, 6]


# ---- Checkpoints by time


def test_checkpoints_by_time(tmp_path, monkeypatch):
    """By a clock that gains 30 s a look: a look a step, and one a save."""
    looks = itertools.count(0, 30)
    clock = SimpleNamespace(monotonic=lambda: next(looks), perf_counter=time.perf_counter)
    monkeypatch.setattr(loop, "time", clock)
    run = start(tiny(checkpoint_every="2m", keep_checkpoints=9), tmp_path)
    kept = sorted(int(path.name) for path in run.checkpoints.iterdir())
    assert kept == [4, 8, 12]
    assert metrics(run) == metrics(start(tiny(), tmp_path, "whole"))


def test_what_is_no_time_and_no_patience_is_refused():
    for wrong in ("10", "m", "-1s", "10 m", "1.5h", "0s", 0):
        with pytest.raises(
            UserError, match=r"--checkpoint-every is .*: give 1 or more steps, or a"
        ):
            tiny(checkpoint_every=wrong)
    for fields, message in (
        ({"watchdog": -1.0}, "--watchdog is -1.0: give a number of seconds, or 0"),
        ({"verify_steps": -1}, "--verify-steps is -1: give 0 or more"),
    ):
        with pytest.raises(UserError, match=message):
            RunOptions(**fields)
