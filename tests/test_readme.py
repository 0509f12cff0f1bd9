"""The README is true: its commands run, its tables are generated, its code computes."""

import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ledger import quality
from jaxgen.book.equations import markdown_table
from jaxgen.catalog import EQUATIONS
from jaxgen.cli.train import _parse_run, train
from jaxgen.experiments.registry import experiment_names, find_preset

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()
]


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("optimised")
def test_every_command_runs(tmp_path):
    """In the README's order, in a folder that sees train.py and the package."""
    (tmp_path / "train.py").symlink_to(ROOT / "train.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "make":  # the Makefile's targets; they are what runs this test
            done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True)
            assert done.returncode == 0, command
            continue
        if words[:3] == ["python", "-m", "benchmarks"] and "--short" in words:
            continue  # tests/benchmarks/test_cli.py runs it, and looks at what it writes
        if words[0] == "source":  # what is active here already runs this test
            assert words[1:] == [".venv/bin/activate"]
            continue
        program = {"python": [sys.executable], "jaxgen": [sys.executable, "-m", "jaxgen"]}[words[0]]
        done = subprocess.run(
            [*program, *words[1:]], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command
    assert len(COMMANDS) >= 9


def test_what_the_table_of_machines_says_can_be_typed(capsys):
    """Up to the device, which is not here: the extras are jax's own, the commands parse."""
    rows = re.findall(
        r"^\| [^|]+ \| ([^|]+) \| `python (train.py [^`]+)`[^|]*\| [^|]+ \|$", README, re.M
    )
    assert len(rows) == 5
    extras = {
        each for install, _ in rows for each in re.findall(r'pip install "jax\[(\w+)\]"', install)
    }
    assert extras == {"cuda13", "tpu"}
    assert extras <= set(importlib.metadata.metadata("jax").get_all("Provides-Extra"))
    for _, command in rows:
        with pytest.raises(SystemExit) as end:
            train([*shlex.split(command)[1:], "--help"])
        assert end.value.code == 0
        flags = shlex.split(command)[2:]
        preset = find_preset(shlex.split(command)[1])
        _, job = _parse_run(preset.experiment, "", flags, "train.py")  # values too
        assert job.distributed == ("--distributed" in flags)


def test_the_equation_table_is_the_catalogues():
    ids = re.findall(r"^\| `(\w+\.[\w.-]+)` \|", README, re.M)
    assert len(ids) >= 5
    assert markdown_table([EQUATIONS[equation_id] for equation_id in ids]) in README


@pytest.mark.first
@pytest.mark.usefixtures("optimised")  # bounds of 500 draws are what takes longest
def test_the_code_computes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained, computed = {}, {}
    of_python, of_equations = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(of_python, trained)
    assert trained["logits"].shape == (128, 64)
    # Better than 8 nats below a fair coin's 64 log 2: it has learnt.
    assert 17 < trained["model"].evaluate()["eval/loss"] < 64 * np.log(2) - 8
    exec(of_equations, computed)
    assert computed["mixed"].shape == (5, 8)
    np.testing.assert_allclose(computed["loss"], [1e4, np.log(2), 0], rtol=1e-6)


def test_the_results_are_those_that_were_written_down():
    """And each of them keeps its preset's promise."""
    values = json.loads((ROOT / "benchmarks/results/quality.json").read_text())
    assert quality.markdown(values) in README
    for name, runs in values["results"].items():
        preset = find_preset(name)
        for run in runs.values():
            assert run["steps"] == preset.experiment.steps
            for metric, promise in preset.expected.items():
                assert abs(run["metrics"][metric] - promise.value) <= promise.tolerance, (
                    name,
                    metric,
                )
    promised = {name for name in experiment_names() if find_preset(name).expected}
    assert promised == set(values["results"])


def test_every_path_exists():
    for path in re.findall(r"\]\(([\w./-]+)\)|`((?:jaxgen|tests|docs)/[\w./]+)`", README):
        assert (ROOT / (path[0] or path[1])).exists(), path
