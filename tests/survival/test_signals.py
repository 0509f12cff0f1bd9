"""Ctrl-C and SIGTERM at random moments: each ends the command, quickly, with one word and no traceback.

$JAXGEN_SIGNALS is how many are sent to `train.py`, and a fifth of that to `launch`; `make soak` asks
for more.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.timeout(0),  # every process has its own limit
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="by what Linux tells of processes"),
]

ROOT = Path(__file__).parents[2]
SIGNALS = int(os.environ.get("JAXGEN_SIGNALS", "2"))
TRAIN = [
    "vae-digits", "--model.hidden-sizes", "7", "--judge-samples", "0",
    "--log-every", "10", "--eval-every", "500",
    "--checkpoint-every", "100", "--steps", "1000000", "--name", "run",
]  # fmt: skip
BAD = re.compile(r"Traceback|Segmentation|Fatal|Exception ignored|KeyboardInterrupt|Error")


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
    return bool(caught >> (number - 1) & 1)


def interrupt(command: list[str], root: Path, rng, seconds: float) -> tuple[int, str, float, str]:
    """(status, all output, seconds to the end, where it was) of a command that gets one signal.

    Between the moment from which it listens, a few milliseconds behind Python's own start, and
    `seconds` later: every second moment is drawn by its logarithm, so that the first ones are met too.
    """
    number = (signal.SIGINT, signal.SIGTERM)[int(rng.integers(2))]
    early = float(np.exp(rng.uniform(np.log(0.001), np.log(seconds))))
    wait = early if rng.integers(2) else float(rng.uniform(0, seconds))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT}
    process = subprocess.Popen([*command, "--runs", str(root)], start_new_session=True, **pipes)
    while not catches(process.pid, signal.SIGTERM):  # Python itself catches SIGINT alone
        time.sleep(0.0005)
    time.sleep(wait)
    place = "in training" if (root / "run" / "config.json").exists() else "at the start"
    sent = time.monotonic()
    process.send_signal(number)
    try:
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    return process.returncode, said, time.monotonic() - sent, place


def check(n: int, command: list[str], root: Path, longest: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places: dict[str, list[float]] = {}
    for index in range(n):
        shutil.rmtree(root, ignore_errors=True)
        status, said, seconds, place = interrupt(command, root, rng, longest)
        places.setdefault(place, []).append(seconds)
        assert status == 130, (index, place, status, said)
        assert not BAD.search(said), (index, place, said)
        assert re.search(r"interrupted|stopped", said), (index, place, said)
        left = [path.name for path in root.rglob("*") if path.name.endswith(".new")]
        assert not left, (index, place, left)
    for place, seconds in places.items():
        print(
            f"\n{len(seconds)} signals {place}: ended within {max(seconds):.2f} s at most", end=""
        )


def test_a_signal_at_any_moment_ends_training(tmp_path):
    check(SIGNALS, [sys.executable, "train.py", *TRAIN], tmp_path / "runs", 12.0, seed=0)


PROGRAM = """
import sys
import jaxgen
jaxgen.train("vae-digits", steps=1000000, model={"hidden_sizes": [7]}, judge_samples=0, log_every=10,
             eval_every=500, checkpoint_every=100, name="run", runs=sys.argv[-1])
"""


def test_ctrl_c_ends_a_program_as_python_does(tmp_path):
    """Never a crash of jaxlib's; a KeyboardInterrupt from a few lines, or what was saved and where."""
    script, root, rng = tmp_path / "program.py", tmp_path / "runs", np.random.default_rng(2)
    script.write_text(PROGRAM)
    for index in range(max(SIGNALS // 5, 1)):
        shutil.rmtree(root, ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, str(script), str(root)],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not catches(process.pid, signal.SIGINT):
            time.sleep(0.0005)
        time.sleep(float(rng.uniform(0.5, 12.0)))  # before it, Python reads its own files
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[1]
        last = said.splitlines()[-1]
        if last.startswith("jaxgen.errors.Interrupted: stopped at step "):
            assert process.returncode == 1 and "which is saved" in last, (index, said)
        else:
            assert (process.returncode, last) == (-signal.SIGINT, "KeyboardInterrupt"), (
                index,
                said,
            )
        assert said.count("Traceback") == 1 and len(said.splitlines()) < 30, (index, said)


SLOW = """
import os, time
from jaxgen.interrupts import arm
arm()
fsync = os.fsync
def slow(number):
    time.sleep(3 if "/checkpoints/" in os.readlink(f"/proc/self/fd/{number}") else 0)
    fsync(number)
os.fsync = slow
from jaxgen.cli import main_train
main_train()
"""


def test_ctrl_c_ends_a_job_whose_disk_takes_seconds_for_a_file(tmp_path):
    """A save then takes minutes. The printed command goes on; a run of one process here."""
    script, root = tmp_path / "train.py", tmp_path / "runs"
    script.write_text(SLOW)
    launch = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--", str(script), *TRAIN]
    job = subprocess.Popen(
        [*launch, "--runs", str(root)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        cwd=ROOT,
    )  # fmt: skip
    while not (root / "run" / "checkpoints").exists():
        assert job.poll() is None, job.stderr.read()
        time.sleep(0.01)
    sent = time.monotonic()
    job.send_signal(signal.SIGINT)
    said = job.communicate(timeout=120)[1]
    seconds = time.monotonic() - sent
    print(f"\na job in a slow save: ended within {seconds:.2f} s", end="")
    assert job.returncode == 130 and seconds < 30, said  # 4 s where the machine is quiet
    how = "go on from the last whole checkpoint|none is whole, so start again"
    again = re.search(rf"(?:{how}) by (.*)$", said, re.M)[1]
    assert f"-n 2 -- {script} --resume run --runs {root}" in again
    (step,) = re.findall(r"(\d+)\.saving", str(list((root / "run" / "checkpoints").iterdir())))
    done = subprocess.run(
        ["bash", "-c", f"{again} --steps {int(step) + 10}".replace(str(script), "train.py")],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(root / "run")


def test_a_signal_at_any_moment_ends_all_processes_of_a_job(tmp_path):
    launch = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--", "train.py", *TRAIN]
    check(max(SIGNALS // 5, 1), launch, tmp_path / "runs", 15.0, seed=1)
