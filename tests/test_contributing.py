"""CONTRIBUTING.md is true, and the hooks before a commit are those of `make lint`."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks.ledger.quality import QUALITY  # `make results` writes it
from jaxgen.experiments.registry import experiment_names

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()
]


def recipe(target: str, *variables: str) -> list[str]:
    """What make would run for a target, but for what installs; under `make test` as alone."""
    command = ["make", "-n", "--no-print-directory", target, *variables]
    above = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=above, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return [line for line in lines if not re.match(r"test -x|touch|\S+ -m pip", line)]


def test_every_command_is_one_that_there_is():
    for command in COMMANDS:
        program, *words = shlex.split(command)
        if program == "make":
            assert recipe(*words), command
            continue
        assert program == "python" and (ROOT / words[0]).is_file(), command
        assert words[1] in experiment_names(), command
    assert len(COMMANDS) >= 7


def test_the_command_of_a_move_writes_the_metrics_that_are_compared(tmp_path):
    (command,) = [each for each in COMMANDS if "runs/before" in each]
    _, script, name, folder = shlex.split(command)
    done = subprocess.run(
        [sys.executable, str(ROOT / script), name, folder],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / folder / name / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 6 and all('"seconds"' in line for line in lines)


def test_results_are_written_by_the_benchmarks():
    (line,) = recipe("results", "NAME=vae-digits", "SEEDS=0 1 2")
    assert line.endswith("-m benchmarks results vae-digits --seeds 0 1 2")


def test_every_path_exists():
    paths = re.findall(r"\]\(([\w./-]+)\)|`((?:jaxgen|tests|benchmarks)/[\w./]+)`", TEXT)
    assert len(paths) >= 8
    for link, path in paths:
        if "NAME" in path:  # of what is to be added
            path = path.split("NAME")[0]
        place = ROOT / (link or path)
        assert place.exists() or place == ROOT / QUALITY, place


def test_the_hooks_run_what_make_lint_runs():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.M)
    assert entries == recipe("lint", "VENV=.venv")
    assert len(entries) == hooks.count("language: system") == 3
    assert "repo: local" in hooks and "http" not in hooks  # no network


def test_sections_of_docstrings_are_indented_by_two():
    """Ruff holds the rest of the dialect and has no rule for this."""
    section = re.compile(r"^( *)(?:Args|Attributes|Raises|Returns):\n( *)\S", re.M)
    found = 0
    for folder in ("jaxgen", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for outer, inner in section.findall(path.read_text()):
                assert len(inner) == len(outer) + 2, path
                found += 1
    assert found > 50


def test_one_place_asks_what_somebody_meant():
    users = [path for path in (ROOT / "jaxgen").rglob("*.py") if "difflib" in path.read_text()]
    users += [path for path in (ROOT / "benchmarks").rglob("*.py") if "difflib" in path.read_text()]
    assert users == [ROOT / "jaxgen/suggest.py"]
