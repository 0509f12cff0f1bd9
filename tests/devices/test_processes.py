"""Real processes that train together: the losses, samples and checkpoints of one process alone."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxgen.runs.meter import is_time

ROOT = Path(__file__).parents[2]

# One job trains every case in turn; what it writes is compared with runs of this very script alone.
JOB = """
import sys
from dataclasses import replace
from pathlib import Path
from jaxgen import runner
from jaxgen.experiments.registry import find_preset
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.families.gan.config import GANImageSampling
from jaxgen.families.sampling import TextSampling
from jaxgen.families.vae.config import VAESampling
from jaxgen.devices.processes import JobOptions, join, leave

GPT_PYTHON, VAE_DIGITS, GAN_DIGITS = (
    find_preset(name).experiment for name in ("gpt-python", "vae-digits", "gan-digits")
)
CADENCE = dict(steps=4, log_every=1, eval_every=4, checkpoint_every=2, steps_per_dispatch=2)
IMAGES = GANImageSampling(count=4)
EXPERIMENTS = {
    "vae-digits": replace(
        VAE_DIGITS, batch_size=16, model=MLPVAEConfig((8,), 4), sampling=VAESampling(count=4),
        judge_samples=0, **CADENCE,
    ),
    "gan-digits": replace(
        GAN_DIGITS, batch_size=16, model=MLPGANConfig(6, (8,), (16,), 0.3), sampling=IMAGES, **CADENCE,
    ),
    "gpt-python": replace(
        GPT_PYTHON, batch_size=16, seq_len=8, model=GPTConfig(1, 2, 16, 8, 8, dropout=0.2),
        sampling=TextSampling(max_tokens=8), **CADENCE,
    ),
}
join(JobOptions())
for case in sys.argv[2:]:
    name, parallel, *rest = case.split(" ")
    feed = "host" if "host" in rest else None
    mesh = next((part for part in rest if "=" in part), None)
    run = case.replace(" ", "_").replace("=", "").replace(",", "_")
    devices = runner.Devices(parallel, mesh, feed)
    runner.start(EXPERIMENTS[name], name, Path(sys.argv[1]), run, devices)
leave()
"""
JUDGING_FAILS = """
import sys
from jaxgen.cli.main import run_command
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.runs import desk

take = desk.Desk.take
def take_or_fail(self, step, state, report):
    if step == 2 and self._log:  # where there is one to be judged, in process 0
        raise UserError("The picture finds no room.")
    return take(self, step, state, report)
desk.Desk.take = take_or_fail
run_command(train, sys.argv[1:])
"""
CASES = {
    2: ["vae-digits pmap", "gan-digits mesh fsdp=2", "gpt-python mesh model=2"],
    4: ["vae-digits mesh data=2,fsdp=2", "vae-digits mesh data=2,fsdp=2 host"],
}


def run_job(root: Path, cases: list[str], processes: int) -> None:
    command = [sys.executable, "-c", JOB, str(root), *cases]
    if processes > 1:
        launcher = [sys.executable, "-m", "jaxgen.launch", "-n", str(processes), "--"]
        command = launcher + command[1:]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def metrics(folder: Path) -> list[dict]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if not is_time(name)} for line in lines]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, usual_compiler) -> Path:
    root = tmp_path_factory.mktemp("alone")
    run_job(root, [f"{name} jit" for name in ("vae-digits", "gan-digits", "gpt-python")], 1)
    return root


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.first)])
def test_processes_train_as_one(alone, tmp_path, processes):
    run_job(tmp_path, CASES[processes], processes)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == len(CASES[processes])
    for folder in folders:
        single = alone / f"{folder.name.split('_')[0]}_jit"
        lines, expected = metrics(folder), metrics(single)
        assert [line["step"] for line in lines] == [1, 2, 3, 4]
        for line, other in zip(lines, expected, strict=True):
            assert line.keys() == other.keys()
            for name in line:
                # Sums in another order; eval/... follows parameters that differ by as little.
                assert line[name] == pytest.approx(other[name], rel=2e-4, abs=1e-5), (folder, name)
        if folder.name.endswith("_host"):  # batches that were sent have the bits of those gathered
            whole = metrics(folder.with_name(folder.name.removesuffix("_host")))
            assert lines == whole
        kept = sorted(int(path.name) for path in (folder / "checkpoints").iterdir())
        assert kept == [2, 4]
        assert [path.name for path in (folder / "samples").iterdir()] == [
            path.name for path in (single / "samples").iterdir()
        ]


TINY = [
    "vae-digits", "--model.hidden-sizes", "8", "--judge-samples", "0",
    "--batch-size", "16", "--log-every", "100",
    "--checkpoint-every", "100000", "--eval-every", "100000", "--parallel", "mesh",
]  # fmt: skip


@pytest.mark.first
def test_a_job_that_is_told_to_stop_saves_and_one_process_goes_on(tmp_path):
    """SIGTERM to one process of two: both stop after the same step; one alone goes on from there."""
    train = [*TINY, "--runs", str(tmp_path), "--name", "run"]
    launcher = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--", "train.py"]
    job = subprocess.Popen(
        [*launcher, *train, "--steps", "1000000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=ROOT,
    )  # fmt: skip
    metrics_file = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 600  # of a hang
    while not (metrics_file.exists() and metrics_file.read_text()):
        assert job.poll() is None and time.monotonic() < deadline, job.stderr.read()
        time.sleep(0.05)
    (worker, *_) = children(job.pid)
    os.kill(worker, signal.SIGTERM)
    _, errors = job.communicate(timeout=300)
    assert job.returncode == 130, errors
    again = f"train.py --resume run --runs {tmp_path} --parallel"
    whole = rf"is saved: go on by \S+ -m jaxgen.launch -n 2 -- {re.escape(again)} mesh"
    stops = [line for line in errors.splitlines() if re.search(f"{whole}$", line)]
    assert len(stops) == 2 and stops[0][4:] == stops[1][4:], errors
    (step,) = (int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert f"stopped at step {step}," in stops[0]
    more = subprocess.Popen(
        [sys.executable, "train.py", "--resume", "run", "--runs", str(tmp_path), "--parallel", "jit"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    lines = len(metrics(tmp_path / "run"))
    while len(metrics_file.read_text().splitlines()) <= lines:
        assert more.poll() is None and time.monotonic() < deadline, more.stderr.read()
        time.sleep(0.05)
    more.send_signal(signal.SIGINT)
    _, errors = more.communicate(timeout=300)
    assert more.returncode == 130, errors
    assert re.search(rf"is saved: go on by \S+ {re.escape(again)} jit$", errors.strip()), errors
    steps = [line["step"] for line in metrics(tmp_path / "run")]
    assert steps == list(range(100, 100 * len(steps) + 1, 100)) and steps[-1] > step


def children(pid: int) -> list[int]:
    """The processes that a process has started, oldest first."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


SHARES = """
import functools, json, sys
import jax, numpy as np
from jaxgen.data import KeyedShuffle, Shuffled, load
from jaxgen.devices.feed import fetch_rows
from jaxgen.devices.processes import JobOptions, join, leave
from jaxgen.devices.choose import make_plan

join(JobOptions())
train = load("digits", kind="images").train
found = {}
for kind in (Shuffled, KeyedShuffle):
    order = kind(train.num_examples, 160, 0)
    for parallel in ("pmap", "mesh"):
        plan = make_plan(parallel, None, batch_size=160)
        for step in range(order.batches_per_epoch - 4, order.batches_per_epoch + 4):
            rows = plan.place(order.indices_for(step, 1), functools.partial(fetch_rows, train, 1))
            own = {
                name: np.concatenate([np.asarray(shard.data)[0] for shard in leaf.addressable_shards])
                if parallel == "mesh" else leaf[0].reshape(-1, *leaf.shape[3:])
                for name, leaf in rows.items()
            }
            found[f"{kind.__name__} {parallel} {step}"] = [
                own["image"].reshape(len(own["image"]), -1).tolist(), own["label"].tolist()
            ]
print(json.dumps(found), file=open(sys.argv[1] + f"/{jax.process_index()}.json", "w"))
leave()
"""


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_shares_of_a_batch_make_the_batch_across_the_end_of_an_epoch(tmp_path, processes):
    """Eight batches, asked for from a step in the middle as after a resume, element for element.

    Of both ways to shuffle; each process has fetched its own rows only, which together are the batch.
    """
    from jaxgen.data import KeyedShuffle, Shuffled, load

    launcher = [sys.executable, "-m", "jaxgen.launch", "-n", str(processes), "--"]
    script = tmp_path / "shares.py"
    script.write_text(SHARES)
    subprocess.run([*launcher, str(script), str(tmp_path)], check=True, cwd=ROOT)
    shares = [json.loads((tmp_path / f"{i}.json").read_text()) for i in range(processes)]
    train = load("digits", kind="images").train
    orders = {kind.__name__: kind(train.num_examples, 160, 0) for kind in (Shuffled, KeyedShuffle)}
    assert len(shares[0]) == 4 * 8
    for case in shares[0]:
        kind, _, step = case.split()
        rows = train.gather(train.arrays, orders[kind].indices(int(step)))
        images, labels = (np.concatenate([share[case][i] for share in shares]) for i in (0, 1))
        np.testing.assert_array_equal(images, rows["image"].reshape(160, -1))
        np.testing.assert_array_equal(labels, rows["label"])
        assert all(len(share[case][1]) == 160 // processes for share in shares)


def test_where_judging_fails_in_one_process_all_save_and_end(tmp_path):
    """In the middle of a run: the others are where they ask whether somebody wants to stop."""
    flags = ["--steps", "6", "--eval-every", "2", "--checkpoint-every", "2", "--batch-size", "8"]
    model = ["--model.hidden-sizes", "7", "--judge-samples", "0", "--runs", str(tmp_path)]
    command = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--", "-c", JUDGING_FAILS]
    done = subprocess.run(
        [*command, "vae-digits", *flags, *model],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "[0] error: The picture finds no room.\n" in done.stderr
    assert (tmp_path / "vae-digits" / "checkpoints" / "2" / "manifest.json").exists()
