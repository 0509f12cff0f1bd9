"""Every preset, by being there: sound fields, a golden curve, a life with a kill in it."""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import pytest

from jaxgen import reader
from jaxgen.errors import UserError
from jaxgen.experiments.preset import Preset
from jaxgen.experiments.registry import experiment_names, find_preset
from jaxgen.runs.fields import from_json, to_json

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("tiny.py")
sys.path.insert(0, str(SCRIPT.parent))  # where a process to be killed finds it, too

import tiny  # noqa: E402

# Processes forked from one that has imported everything: to start Python and jax takes seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tiny", "matplotlib.figure", "tensorboardX", "orbax.checkpoint.v1"])

EXPERIMENTS = {name: find_preset(name).experiment for name in experiment_names()}


def first_of_each(kind) -> set[str]:
    return set({kind(EXPERIMENTS[name]): name for name in reversed(EXPERIMENTS)}.values())


# In brief one preset of each family lives through it all, and of each model one has its golden curve.
OF_EACH_FAMILY = first_of_each(type)
OF_EACH_MODEL = first_of_each(lambda experiment: (type(experiment), type(experiment.model)))
names = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in OF_EACH_MODEL else pytest.mark.first)
        for name in EXPERIMENTS
    ],
)


@pytest.fixture
def data_is_here():
    def check(name):
        try:
            tiny.tiny(name).load()
        except UserError as error:
            pytest.skip(str(error))

    return check


@names
def test_its_fields_are_sound(name):
    preset = find_preset(name)
    assert isinstance(preset, Preset)
    assert preset.summary.endswith(".") and len(preset.summary) <= 80 and preset.papers
    for metric, expected in preset.expected.items():
        assert metric.startswith("eval/") and 0 < expected.tolerance < abs(expected.value)
    assert preset.minutes is None or 0 < preset.minutes < 30
    text = preset.describe(name)
    assert f"python train.py {name}" in text and preset.time in text
    # What config.json holds gives the same experiment again, with its model's own class.
    fields = json.loads(json.dumps(to_json(preset.experiment)))
    assert from_json(preset.experiment, fields, Path("x")) == preset.experiment


def test_each_file_is_at_most_forty_lines():
    files = [p for p in (ROOT / "jaxgen/experiments").glob("*.py") if "PRESET = " in p.read_text()]
    assert len(files) == len(experiment_names())
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        assert len(lines) <= 40, file


@names
@pytest.mark.timeout(600)
def test_it_trains_is_killed_goes_on_samples_and_is_judged(name, tmp_path, data_is_here, request):
    """Killed by SIGKILL after its first checkpoint, resumed: the curve of a run that nobody killed."""
    data_is_here(name)
    whole = name in OF_EACH_FAMILY or not request.config.option.brief
    golden = json.loads(tiny.GOLDEN.read_text())
    assert tiny.golden_key(name) in golden, (
        f"a new preset or Python: python {SCRIPT.relative_to(ROOT)} {name} FOLDER golden"
    )
    killed = tmp_path / name
    if whole:
        _kill_after_first_checkpoint(name, killed)
        assert 0 < len(tiny.curve(killed)) <= tiny.STEPS
    assert tiny.train(name, tmp_path) == killed
    curve = tiny.curve(killed)
    # Over these steps two versions of jax agree to six digits in float32 (where slopes are penalised, in
    # their own gradient, to 2.2e-5), and to 4e-4 in bfloat16, whose numbers are 4e-3 apart; another draw
    # moves a gradient's norm by 2e-2 and more. A mean of logits near 1 may lie near 0: hence 1e-5.
    dtype = getattr(EXPERIMENTS[name].model, "compute_dtype", "float32")
    rel = {"float32": 5e-5, "bfloat16": 2e-3}[dtype]
    for line, kept in zip(curve, golden[tiny.golden_key(name)], strict=True):
        assert line == pytest.approx(kept, rel=rel, abs=1e-5)
    if not whole:
        return
    saved = reader.load_run(killed)
    if hasattr(saved.experiment, "sampling"):  # a classifier draws nothing
        assert reader.draw(saved, saved.experiment.sampling, seed=3).stat().st_size > 0
    judged = reader.judge(saved)
    assert judged == pytest.approx(
        {key: value for key, value in curve[-1].items() if key == "step" or key[:5] == "eval/"},
        rel=1e-4,  # a regret is the small difference of two losses
    )


def _kill_after_first_checkpoint(name: str, folder: Path) -> None:
    process = FORKS.Process(target=tiny.train, args=(name, folder.parent))
    process.start()
    while process.is_alive() and not (folder / "checkpoints" / "2").exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert (folder / "checkpoints" / "2").exists()
