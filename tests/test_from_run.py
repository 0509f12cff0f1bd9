"""An experiment that stands on another run: weights arrive, a digest is pinned, faults are said."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import reader, runner
from jaxgen.cli import run_command
from jaxgen.cli.evaluate import evaluate
from jaxgen.cli.sample import sample
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.experiments import registry
from jaxgen.experiments.preset import Preset
from jaxgen.families.base import FromRun
from jaxgen.families.vae.config import VAESampling
from jaxgen.families.vae.family import VAE
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.runs.meter import is_time
from jaxgen.training.gradient import Aux
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights
from jaxgen.training.task import one_player

pytestmark = pytest.mark.first
SMALL = MLPVAEConfig((7,), 3)
CADENCE = {
    "steps": 4, "batch_size": 8, "log_every": 2, "eval_every": 4, "checkpoint_every": 2,
    "sampling": VAESampling(4), "judge_samples": 0,
}  # fmt: skip
HANDED: list = []
"""What `build` was given, call by call."""


@dataclass(frozen=True)
class Student(VAE):
    """A VAE that begins as its teacher and is held near it in every step."""

    teacher: FromRun = field(default_factory=lambda: FromRun("teacher"))

    def build(self, spec, trained=None):
        HANDED.append(trained)
        task, teacher = super().build(spec), trained["teacher"].weights.params

        def loss(params, extra, batch, keys):
            value, aux = task.loss(params, extra, batch, keys)
            far = jax.tree.map(lambda own, its: jnp.sum((own - its) ** 2), params, teacher)
            return value + sum(jax.tree.leaves(far)), Aux(aux.metrics, extra)

        return one_player(
            lambda key: Weights(jax.tree.map(jnp.copy, teacher)),
            loss,
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=task.evaluate,
            sample=task.sample,
            best=task.best,
        )


PRESETS = {
    "teacher": Preset("Teaches.", ("x",), VAE(model=SMALL, **CADENCE)),
    "student": Preset("Learns.", ("x",), Student(model=SMALL, **CADENCE)),
}


def find(name):
    return PRESETS[name] if name in PRESETS else registry.find_preset(name)


@pytest.fixture(autouse=True)
def presets(monkeypatch):
    monkeypatch.setattr(reader, "find_preset", find)
    monkeypatch.setattr(sys.modules["jaxgen.cli.train"], "find_preset", find)
    HANDED.clear()


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A directory of runs with a teacher, finished, and a student that stands on it."""
    root = tmp_path_factory.mktemp("runs")
    patch = pytest.MonkeyPatch()
    with patch.context() as here:
        here.setattr(reader, "find_preset", find)
        runner.start(find("teacher").experiment, "teacher", root, "teacher")
        runner.start(find("student").experiment, "student", root, "student")
    return root


@pytest.fixture
def root(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "runs")


def params_of(folder, step=None):
    saved = reader.load_run(folder)
    _, state = reader.restore(saved.experiment, saved, "latest" if step is None else str(step))
    return state.params


def digest_of(folder, step):
    """Of the leaves that the manifest lists, as the documentation of manifests has it."""
    manifest = json.loads((folder / "checkpoints" / str(step) / "manifest.json").read_text())
    leaves = {path: leaf["sha256"] for path, leaf in manifest["leaves"].items()}
    return hashlib.sha256(json.dumps(leaves, sort_keys=True).encode()).hexdigest()


def edit(path, change):
    fields = json.loads(path.read_text())
    del fields["sha256"]  # as a person who edits the file does
    change(fields["fields"])
    path.write_text(json.dumps(fields))


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def listing(root):
    return sorted((str(path.relative_to(root)), path.stat().st_size) for path in root.rglob("*"))


# ---- What arrives


def test_the_teacher_s_weights_and_spec_are_handed_to_build(root):
    runner.start(find("student").experiment, "student", root, "another")
    (trained,) = HANDED[-1].values()
    saved = reader.load_run(root / "teacher")
    assert_same(trained.weights.params, params_of(root / "teacher"))
    assert trained.spec == saved.spec
    image = jnp.full((1, 8, 8, 1), 0.25)
    model = saved.experiment.model.make((8, 8, 1))
    expected = model.apply({"params": trained.weights.params}, image)
    np.testing.assert_array_equal(trained.task.apply(trained.weights, image), expected)


def test_a_step_or_the_best_of_its_checkpoints_may_be_named(root):
    for which, step in (("2", 2), ("best", 4), ("latest", 4)):
        student = replace(find("student").experiment, teacher=FromRun("teacher", which))
        runner.start(student, "student", root, f"of-{which}")
        trained = HANDED[-1]["teacher"]
        assert_same(trained.weights.params, params_of(root / "teacher", step))
        fields = json.loads((root / f"of-{which}" / "config.json").read_text())["fields"]
        assert fields["teacher"] == {
            "run": "teacher", "checkpoint": which, "digest": digest_of(root / "teacher", step),
        }  # fmt: skip


def test_a_student_is_resumed_judged_and_drawn_from_as_any_run(root, capsys):
    """Resumed at 2 it is the uninterrupted one, bit for bit; its config keeps the digest."""
    whole = params_of(root / "student")
    shutil.rmtree(root / "student" / "checkpoints" / "4")
    before = json.loads((root / "student" / "config.json").read_text())
    assert len(before["fields"]["teacher"]["digest"]) == 64
    train(["--resume", "student", "--runs", str(root)])
    assert_same(params_of(root / "student"), whole)
    assert json.loads((root / "student" / "config.json").read_text()) == before
    capsys.readouterr()
    evaluate([str(root / "student"), "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["step"] == 4
    sample([str(root / "student")])
    assert Path(capsys.readouterr().out.splitlines()[-1]).is_file()


def test_a_run_may_stand_on_one_that_stands_on_another(root):
    student = replace(find("student").experiment, teacher=FromRun("student"))
    runner.start(student, "student", root, "grandchild")
    assert_same(HANDED[-1]["teacher"].weights.params, params_of(root / "student"))


# ---- What is wrong with it


def unfinished(root):
    edit(root / "teacher" / "config.json", lambda fields: fields.update(steps=10))


def without_checkpoints(root):
    shutil.rmtree(root / "teacher" / "checkpoints")


def trained_on(root):
    train(["--resume", "teacher", "--runs", str(root), "--steps", "6"])


def turned_round(root):
    """The teacher is now a student of its student."""
    shutil.copytree(root / "student", root / "other")
    shutil.rmtree(root / "teacher")
    shutil.copytree(root / "student", root / "teacher")
    edit(root / "teacher" / "config.json", lambda fields: fields["teacher"].update(run="student"))


START = "student --name new"
FAULTS = {  # what is done to the runs, the command, the sentence
    "missing": (
        lambda root: shutil.rmtree(root / "teacher"), START,
        r"--teacher\.run teacher: there is no run .*/teacher; train it first, or name another\.",
    ),
    "missing for a run that has begun": (
        lambda root: shutil.rmtree(root / "teacher"), "--resume student",
        r"--teacher\.run teacher: there is no run .*/teacher; train it first, or name another\.",
    ),
    "no name": (None, START + " --teacher.run ../x", r"'\.\./x' cannot name a run"),
    "no run": (
        lambda root: (root / "teacher" / "config.json").unlink(), START, r"teacher is not a run: it has",
    ),
    "unfinished": (
        unfinished, START,
        r"--teacher\.run teacher has done 4 of 10 steps: finish it by .*resume=True\), or name a step "
        r"by --teacher\.checkpoint\.",
    ),
    "not begun": (
        without_checkpoints, START, r"teacher holds no checkpoint yet: train it by .*'teacher'",
    ),
    "no such step": (
        None, START + " --teacher.checkpoint 3", r"checkpoints has no step 3: choose one of those there",
    ),
    "no such word": (
        None, START + " --teacher.checkpoint newest",
        r"--teacher\.checkpoint is newest: give latest, best or a step\.",
    ),
    "changed": (
        trained_on, "--resume student --steps 6",
        r"--teacher\.run teacher has changed since this run was started: bring back the checkpoint with "
        r"the digest [0-9a-f]{12}, or start another run\.",
    ),
    "pinned by hand": (
        None, START + " --teacher.digest 0123456789abcdef",
        r"has changed since this run was started: bring back .* digest 0123456789ab, or start",
    ),
    "itself": (
        None, "student --name new --teacher.run new",
        r"--teacher\.run new: a run cannot stand on itself; name another\.",
    ),
    "a circle": (
        turned_round, "--resume student",
        r"--teacher\.run student: a run cannot stand on itself; name another\.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_status_2_with_nothing_half_written(root, capsys, fault):
    spoil, line, message = FAULTS[fault]
    if spoil:
        spoil(root)
    before = listing(root)
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        run_command(train, [*line.split(), "--runs", str(root)])
    (error,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert error.startswith("error: ") and re.search(message, error), error
    assert listing(root) == before


def test_judging_and_drawing_say_that_the_teacher_has_changed(root):
    trained_on(root)
    for command in (evaluate, sample):
        with pytest.raises(UserError, match="has changed since this run was started"):
            command([str(root / "student")])


# ---- On several devices, in several processes


def train_student(root: Path, name: str, *devices: str | None) -> None:
    reader.find_preset = find
    student = find("student").experiment
    runner.start(student, "student", root, name, runner.Devices(*devices))


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_like_one_device(root, name):
    for line, expected in zip(metrics(root / name), metrics(root / "student"), strict=True):
        for key in [key for key in line if not is_time(key)]:  # sums in another order, and the like
            assert line[key] == pytest.approx(expected[key], rel=2e-4, abs=1e-5), key


def test_four_devices_train_as_one(root):
    cases = ["pmap", "mesh", "mesh:data=2,fsdp=2"]
    done = subprocess.run(
        [sys.executable, __file__, str(root), *cases],
        capture_output=True, text=True, env=os.environ | {"JAX_NUM_CPU_DEVICES": "4"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for case in cases:
        assert_like_one_device(root, case.replace(":", "-").replace("=", "").replace(",", "-"))


def test_two_processes_train_as_one(root):
    launcher = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--"]
    command = [*launcher, __file__, str(root), "pmap", "mesh:fsdp=2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("pmap", "mesh-fsdp2"):
        assert_like_one_device(root, name)


if __name__ == "__main__":
    from jaxgen.devices.processes import JobOptions, join, leave

    join(JobOptions())
    for case in sys.argv[2:]:
        parallel, _, mesh = case.partition(":")
        name = case.replace(":", "-").replace("=", "").replace(",", "-")
        train_student(Path(sys.argv[1]), name, parallel, mesh or None)
    leave()
