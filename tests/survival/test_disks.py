"""Disks that fill, and disks that lose their power, under runs that train."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.log import MetricsLog
from jaxgen.runs.manifest import describe
from jaxgen.runs.run import Run
from jaxgen.training.state import State

from .conftest import HERE, RUN, SECONDS, attempts, bits, mounted, only_sentences, resume, steps_of

pytestmark = pytest.mark.once

# ---- Full


def test_events_on_a_full_disk_are_an_error_of_the_one_who_writes(tmp_path):
    """tensorboardX's thread died of it, and the queue before it took ten events more."""
    with mounted("-t", "tmpfs", "-o", "size=64k", "none", tmp_path / "small") as place:
        (place / "run").mkdir()
        with MetricsLog(Run(place / "run")) as log:
            (place / "filler").write_bytes(bytes(4096 * (shutil.disk_usage(place).free // 4096)))
            with pytest.raises(OSError, match="No space left") as error:
                for step in range(1, 1000):
                    log.write(step, {"loss": 1.0}, 0.0)
        assert Path(error.value.filename).parent == place / "run"


@pytest.mark.timeout(240 + 120 * attempts(1))
def test_a_run_on_a_disk_that_fills_ends_with_a_sentence_and_goes_on(
    server, whole, tmp_path, table
):
    rng, rows = np.random.default_rng(0), table.setdefault("disks that fill", [])
    for number in range(attempts(1)):
        log = tmp_path / f"log-{number}"
        with mounted("-t", "tmpfs", "-o", "size=1500k", "none", tmp_path / "disk") as root:
            room = int(rng.integers(40_000, 300_000))  # a run takes some 320 kB, and more meanwhile
            (root / "filler").write_bytes(bytes(shutil.disk_usage(root).free - room))
            status = server.run([*RUN, "--runs", root, "--name", "run"], log)
            assert status == 2 and only_sentences(log), (room, status, log.read_text()[-3000:])
            (root / "filler").unlink()
            if (root / "run").exists():
                assert server.run(resume(root), log) == 0, log.read_text()[-3000:]
                assert bits(root / "run") == whole.bits
        rows.append(True)


# ---- Power


def state_of(step: int) -> State:
    words = np.random.default_rng(step).integers(0, 2**32, (50, 211), dtype=np.uint32)
    zero = jnp.zeros((), jnp.int32)
    return State(jnp.int32(step), jnp.asarray(words), (), jax.random.key(step), zero)


def test_a_step_whose_save_has_returned_outlives_a_loss_of_power(disk):
    with disk.mounted() as place:
        folder = place / "run" / "checkpoints"
        with Checkpoints(folder) as checkpoints:
            for step in (1, 2, 3):
                checkpoints.save(state_of(step))
        disk.lose_power()
    with disk.mounted(), Checkpoints(folder) as checkpoints:
        assert checkpoints.latest == 3
        assert describe(checkpoints.restore(state_of(0)), 0) == describe(state_of(3), 0)


@pytest.mark.timeout(240 + 120 * attempts(1))
def test_a_run_outlives_losses_of_power(server, whole, disk, tmp_path, table):
    """It goes on from a step no older than the last whose save had returned, and has the same bits."""
    rng, rows = np.random.default_rng(1), table.setdefault("losses of power", [])
    for number in range(attempts(1)):
        log = tmp_path / f"log-{number}"
        with disk.mounted() as root:
            shutil.rmtree(root / "run", ignore_errors=True)
            pid = server.start([*RUN, "--runs", root, "--name", "run"], log)
            folder, aim = root / "run" / "checkpoints", int(rng.integers(1, 6)) * 4
            while not list(folder.glob(f"{aim}.saving*")) and not (folder / str(aim)).exists():
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.4))
            # A save begins when the one before it has returned.
            names = {path.name for path in folder.iterdir()}
            begun = max(int(name.partition(".")[0]) for name in names)
            returned = max((step for step in steps_of(root / "run") if step < begun), default=0)
            disk.lose_power()
            status = server.wait(pid)
            assert status == 0 or (status == 2 and only_sentences(log)), log.read_text()[-3000:]
        with disk.mounted() as root:
            found = max(steps_of(root / "run"), default=0) if folder.exists() else 0
            assert found >= returned, (found, returned)
            second = tmp_path / f"log-{number}-resumed"
            assert server.run(resume(root), second) == 0, second.read_text()[-3000:]
            assert bits(root / "run") == whole.bits
            assert "damaged" not in second.read_text()
        rows.append(True)


# The command `jaxgen` where the toy is a preset.
TOY = """
import sys
import jaxgen.experiments
from jaxgen.cli import main
jaxgen.experiments.__path__.append(sys.argv.pop(1))
main()
"""


@pytest.mark.timeout(240 + 120 * attempts(1))
def test_two_processes_on_a_disk_that_fills_end_with_a_sentence(tmp_path, table):
    """One whose part of a checkpoint finds no room tells the other, which follows in silence."""
    rng, rows = np.random.default_rng(4), table.setdefault("the same, of two processes", [])
    for _ in range(attempts(1)):
        with mounted("-t", "tmpfs", "-o", "size=1500k", "none", tmp_path / "disk") as root:
            room = int(rng.integers(40_000, 250_000))
            (root / "filler").write_bytes(bytes(shutil.disk_usage(root).free - room))
            launch = [sys.executable, "-m", "jaxgen.launch", "-n", "2"]
            toy = ["-c", TOY, HERE / "presets", *RUN, "--runs", root, "--name", "run"]
            done = subprocess.run(
                [*launch, "--", *toy], capture_output=True, text=True, timeout=SECONDS
            )
        *said, end = done.stderr.splitlines()
        sentence = re.compile(r"\[[01]\] error: .*(No space left on device|is full): make room")
        last = re.compile(r"worker [01] \(pid \d+\) failed first, with status 2: the job is ended")
        survived = (
            done.returncode == 2
            and 1 <= len(said) <= 2  # both may have met it
            and all(map(sentence.match, said))
            and bool(last.fullmatch(end))
        )
        if not survived:
            print(room, done.returncode, done.stderr, sep="\n")
        rows.append(survived)
    assert all(rows)
