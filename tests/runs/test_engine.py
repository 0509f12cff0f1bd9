"""The engine's parts that meet the file system and the terminal."""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import UserError
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.log import MetricsLog, plot_curves, read_metrics
from jaxgen.runs.meter import Meter
from jaxgen.runs.progress import Progress
from jaxgen.runs.run import Run, create_run, open_run, run_path

counts = st.integers(1, 40)


@settings(deadline=None, max_examples=60)
@given(steps=counts, log=counts, evaluate=counts, checkpoint=counts, dispatch=counts)
def test_dispatches_end_on_every_boundary(steps, log, evaluate, checkpoint, dispatch):
    cadence = Cadence(steps, log, evaluate, checkpoint, dispatch)
    ends, step = [], 0
    while step < steps:
        count = cadence.next_count(step)
        assert 1 <= count <= dispatch
        step += count
        ends.append(step)
    assert ends[-1] == steps
    for every in (log, evaluate, checkpoint):
        due = [step for step in range(1, steps + 1) if step % every == 0 or step == steps]
        assert [step for step in ends if cadence.is_due(step, every)] == due


@settings(deadline=None, max_examples=60)
@given(steps=counts, log=counts, evaluate=counts, checkpoint=counts, dispatch=counts)
def test_a_longer_run_dispatches_alike_up_to_the_shorter_ones_last_boundary(
    steps, log, evaluate, checkpoint, dispatch
):
    """A checkpoint lies on a boundary of the longer run too, so a grown run goes on alike."""
    longer = Cadence(steps + 40, log, evaluate, checkpoint, dispatch)
    step, ends = 0, []
    while step < steps + 40:
        step += longer.next_count(step)
        ends.append(step)
    assert set(range(checkpoint, steps + 1, checkpoint)) <= set(ends)


def make_run(root) -> Run:
    return create_run(root, "run", "none", {"steps": 1}, {"kind": "none"})


def test_a_run_is_created_whole_and_only_once(tmp_path):
    run = make_run(tmp_path)
    assert open_run(run.folder)[1:] == ("none", {"steps": 1}, {"kind": "none"})
    with pytest.raises(UserError, match=r"exists: go on with it by .*resume"):
        make_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_failed_creation_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        create_run(tmp_path, "run", "none", {"steps": object()}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a b", "a\n"])
def test_names_cannot_leave_the_root(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a run"):
        run_path(tmp_path, name)


def test_metrics_lines_and_the_seconds_of_all_parts(tmp_path):
    run = make_run(tmp_path)
    with MetricsLog(run) as log:
        log.write(2, {"loss": 0.1}, 1.5)
        assert read_metrics(run.metrics)[0]["step"] == 2  # on disk at once
        log.write(4, {"loss": 0.2}, 2.5)
    with run.metrics.open("a") as file:
        file.write('{"step": 6, "lo')  # a process died while writing
    with MetricsLog(run, first_step=2) as log:
        log.write(4, {"loss": 0.3}, 1.0)
    assert [json.loads(line) for line in run.metrics.read_text().splitlines()] == [
        {"step": 2, "loss": 0.1, "seconds": 1.5},
        {"step": 4, "loss": 0.3, "seconds": 2.5},
    ]


@pytest.mark.parametrize(
    "line",
    [
        "nothing", "[" * 100_000, "[]", "null", '{"step": 4, "loss": 1.0}', '{"seconds": 4}',
        '{"step": "4", "seconds": 1}', '{"step": 4, "seconds": 1, "loss": [1]}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_step_s_numbers_is_named(tmp_path, line):
    run = make_run(tmp_path)
    with MetricsLog(run) as log:
        log.write(2, {"loss": float("nan")}, 1.5)  # NaN is a result like others
    assert math.isnan(read_metrics(run.metrics)[0]["loss"])
    with run.metrics.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl in its line 2 .* take the line out"):
        MetricsLog(run, first_step=2)


def test_a_metric_s_name_is_no_formula(tmp_path):
    run = make_run(tmp_path)
    with MetricsLog(run) as log:
        log.write(2, {"$\\no_such_command$": 1.0}, 1.5)
    assert plot_curves(run) == run.curves


def test_curves_show_training_and_held_out(tmp_path):
    from matplotlib import image

    run = make_run(tmp_path)
    assert plot_curves(run) is None
    with MetricsLog(run) as log:
        for step in range(1, 9):
            log.write(step, {"loss": 1 / step, "eval/loss": 2 / step, "norm": 1.0}, float(step))
    picture = image.imread(plot_curves(run))[..., :3]
    blue, orange = ((np.abs(picture - colour).max(-1) < 0.02).sum()
                    for colour in ([0.122, 0.467, 0.706], [1.0, 0.498, 0.055]))  # fmt: skip
    assert blue > 100 and orange > 100  # matplotlib's first two colours: both curves are drawn


def test_progress_prints_plain_lines_where_there_is_no_terminal(capsys, monkeypatch):
    with Progress(0, 100) as progress:
        progress.advance(30)
        progress.show(50, {"loss": 1.25, "kl_nats": 3.0, "eval/loss": 2.0})
        then = time.perf_counter() + 100
        monkeypatch.setattr(time, "perf_counter", lambda: then)
        progress.show(75, {"loss": 1.25}, Meter("images", 4).speed(25, 50.0))
    first, second = capsys.readouterr().out.splitlines()
    # The first line's time is the compiler's. Training had 50 of the 100 seconds, evaluation the rest:
    # the rates are of training, what is left is of both.
    assert first == "step 50/100  loss 1.25  eval/loss 2"
    assert second == "step 75/100  loss 1.25  0.5 steps/s  2 images/s  100 s left"


BAR = """
import os, pty, sys
code = '''
from jaxgen.runs.meter import Meter
from jaxgen.runs.progress import Progress
with Progress(0, 1000, judged="eval/pixel_frechet") as progress:
    progress.advance(30)
    progress.show(50, {"loss": 1.25, "kl_nats": 3.0, "eval/pixel_frechet": 0.5, "learning_rate": 3e-4})
    speed = {"steps_per_second": 96.4, "images_per_second": 12345.0, "mfu": 0.41}
    progress.show(60, {"loss": 1.5, "learning_rate": 3e-4}, speed)
'''
os.environ["COLUMNS"] = sys.argv[1]
sys.exit(pty.spawn([sys.executable, "-c", code]))
"""


@pytest.mark.parametrize(
    ("columns", "seen", "unseen"),
    [
        (40, ["loss 1.5"], ["kl_nats", "steps/s"]),
        (80, ["loss 1.5  eval/pixel_frechet 0.5"], ["kl_nats"]),  # of ten steps before
        (160, ["0.5  ", "steps/s  12,345 images/s  MFU 41%  learning_rate 0.0003"], ["kl_nats"]),
    ],
)
def test_progress_is_a_bar_on_a_terminal_of_any_width(columns, seen, unseen):
    """Under a pseudo-terminal, as a person has it: step, bar and time left are always there."""
    done = subprocess.run(
        [sys.executable, "-c", BAR, str(columns)], capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout)
    assert "compiling" in plain
    last = [line for line in re.split(r"[\r\n]+", plain) if "60/1000" in line][-1]
    assert re.search(r"step +60/1000 [━╸].* ([-\d]+:[-\d]+:[-\d]+)", last), last
    for text in seen:
        assert text in last
    assert "…" not in plain and len(last.rstrip()) <= columns
    assert not any(text in plain for text in unseen)


ALLOCATOR = """
import resource, sys
from jaxgen.devices.runtime import tune_allocator
if sys.argv[1] == "tuned":
    assert tune_allocator()
import jax, jax.numpy as jnp, numpy as np
work = jax.jit(lambda x: x * 2 + 1)
x = np.ones((3100, 3100), np.float32)  # beyond the 32 MiB up to which glibc adapts by itself
def faults():  # of 4 calls; a thread whose heap still grows may spoil a window, not five
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4): work(x).block_until_ready()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(min(faults() for _ in range(5)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.first
def test_the_allocator_setting_ends_the_page_faults():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", ALLOCATOR, how], capture_output=True,
                                text=True, check=True).stdout)
        for how in ("tuned", "plain")
    }  # fmt: skip
    assert faults["tuned"] * 50 < faults["plain"]


PROGRAMS = """
import sys
import time
from pathlib import Path
from jaxgen.devices.runtime import prepare_process
print(prepare_process())
import jax
print(jax.jit(lambda x: x * 2 + 1)(20.5))
"""


def run_programs(**environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PROGRAMS], capture_output=True, text=True, check=True,
        env=os.environ | environment,
    )  # fmt: skip


def test_damaged_programs_are_replaced(tmp_path):
    """Each warned at every start, since jax keeps what it finds."""
    run_programs(JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    sound = {path: path.stat().st_size for path in tmp_path.glob("*-cache")}
    assert sound
    for path in sound:
        path.write_bytes(path.read_bytes()[:100])
    done = run_programs(JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    assert done.stderr == "" and done.stdout.endswith("42.0\n")
    assert {path: path.stat().st_size for path in tmp_path.glob("*-cache")} == sound


def test_a_user_without_a_home_keeps_no_programs(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert "compiled programs are not kept (name a folder by" in prepare_process(allocator=False)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(Path(__file__) / "no-folder"))
    assert "compiled programs are not kept" in prepare_process(allocator=False)
