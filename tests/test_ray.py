"""Workers that are Ray tasks (docs/ray_workers.py) against the launcher's: the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.timeout(0)]
ROOT = Path(__file__).parents[1]
FLAGS = [
    "vae-digits", "--model.hidden-sizes", "7", "--judge-samples", "0", "--steps", "20",
    "--log-every", "1", "--steps-per-dispatch", "5",
]  # fmt: skip


def losses(command: list[str], folder: Path) -> list[str]:
    """Of each logged step, with all their bits, of a job of two processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_NUM_CPU_DEVICES": "1"}
    done = subprocess.run(
        [sys.executable, *command, *FLAGS, "--runs", str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (folder / "vae-digits" / "metrics.jsonl").read_text().splitlines()
    return [float(json.loads(line)["loss"]).hex() for line in lines]


def test_ray_s_workers_have_the_launcher_s_losses(tmp_path):
    pytest.importorskip("ray", reason="the extra jaxgen[ray]")
    launched = losses(["-m", "jaxgen.launch", "-n", "2", "--", "train.py"], tmp_path / "launched")
    by_ray = losses(["docs/ray_workers.py", "2"], tmp_path / "ray")
    assert len(launched) == 20 and by_ray == launched
