"""What a message says that goes on with a run, does so as it is printed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgen
from jaxgen import launch
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.runs import run as run_module
from jaxgen.runs.run import LAUNCHED, Run, going_on

pytestmark = pytest.mark.first
ROOT = Path(__file__).parents[2]
TINY = [
    "vae-digits", "--model.hidden-sizes", "7", "--judge-samples", "0", "--batch-size", "8",
    "--steps", "2", "--eval-every", "2", "--log-every", "2", "--checkpoint-every", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """One that is done, in a folder whose name a shell would cut."""
    root = tmp_path_factory.mktemp("it's a place")
    train([*TINY, "--name", "run", "--runs", str(root)])
    return Run(root / "run")


def test_the_command_of_a_refusal_goes_on_as_it_is_printed(run):
    command = [sys.executable, "train.py", *TINY, "--name", "run", "--runs", str(run.folder.parent)]
    options = {"cwd": ROOT, "capture_output": True, "text": True}
    refused = subprocess.run(command, **options)
    found = re.fullmatch(
        r"error: .*/run exists: go on with it by (.*), or give another --name\.\n", refused.stderr
    )
    assert refused.returncode == 2 and found, refused.stderr
    done = subprocess.run(["bash", "-c", found[1]], **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(run.folder)


def test_the_call_of_a_program_goes_on_as_it_is_printed(run):
    with pytest.raises(UserError, match=r"/run exists: go on with it by jaxgen\.train") as refused:
        jaxgen.train("vae-digits", name="run", runs=run.folder.parent)
    call = re.search(r"by (jaxgen\.train\(.*\)), or give another name\.$", str(refused.value))[1]
    model = eval(call)
    assert model.folder == run.folder and int(model.state.step) == 2


def test_a_launchers_command_starts_its_job_again(run, monkeypatch):
    """All but the processes themselves."""
    monkeypatch.setattr(run_module, "is_armed", lambda: True)
    monkeypatch.setenv(LAUNCHED, f"{sys.executable} -m jaxgen.launch -n 2 --port 20001 --")
    monkeypatch.setattr(sys, "argv", ["train.py", *TINY, "--feed=host", "--parallel", "mesh"])
    words = shlex.split(going_on(run))
    assert words[:3] == [sys.executable, "-m", "jaxgen.launch"]
    jobs = []
    monkeypatch.setattr(launch, "_run_jobs", lambda *job: jobs.append(job) or 0)
    with pytest.raises(SystemExit):
        launch.launch(words[3:])
    ((options, command, _),) = jobs
    assert (options.num_processes, options.port) == (2, 20001)
    assert command == [
        "train.py", "--resume", "run", "--runs", str(run.folder.parent),
        "--feed=host", "--parallel", "mesh",
    ]  # fmt: skip
    train([*command[1:-1], "jit"])


@pytest.mark.parametrize(
    ("argv", "path", "wanted"),
    [
        (
            ["train.py", "x", "--mesh", "data=2"],
            "venv",
            "python train.py --resume run --mesh data=2",
        ),
        (["../train.py", "--distributed"], "venv", "python ../train.py --resume run --distributed"),
        (["train.py"], "nowhere", f"{sys.executable} train.py --resume run"),
        (["/x/jaxgen/__main__.py", "train"], "venv", "python -m jaxgen train --resume run"),
        (["{venv}/jaxgen", "train", "x"], "venv", "jaxgen train --resume run"),
        (["{venv}/jaxgen", "adopt"], "nowhere", "{venv}/jaxgen train --resume run"),
    ],
)
def test_a_command_is_named_as_it_was_called(argv, path, wanted, tmp_path, monkeypatch):
    venv = tmp_path / "bin"
    venv.mkdir()
    for name in ("python", "jaxgen"):
        (venv / name).touch(0o755)
    monkeypatch.setattr(run_module, "is_armed", lambda: True)
    monkeypatch.setattr(sys, "argv", [word.format(venv=venv) for word in argv])
    if path == "venv":
        monkeypatch.setattr(sys, "executable", str(venv / "python3"))
    monkeypatch.setitem(os.environ, "PATH", str(venv if path == "venv" else tmp_path))
    assert going_on(Run(Path("runs/run"))) == wanted.format(venv=venv)
