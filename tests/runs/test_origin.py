"""Runs that begin with another run's weights."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from jaxgen import reader, runner
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.runs.log import read_metrics
from jaxgen.runs.manifest import by_path
from jaxgen.runs.options import Origin, RunOptions
from jaxgen.runs.run import read_json


def tiny(**fields):
    preset = find_preset("vae-digits").experiment
    model = replace(preset.model, hidden_sizes=(7,), latent_size=3)
    small = {
        "judge_samples": 0,
        "steps": 4,
        "batch_size": 8,
        "log_every": 1,
        "eval_every": 4,
        "keep_checkpoints": 9,
    }
    return replace(preset, model=model, **(small | fields))


def start(experiment, root, name, origin=None):
    return runner.start(experiment, "vae-digits", root, name, origin=origin)


def leaves(folder, checkpoint="latest", part="params"):
    saved = reader.load_run(folder)
    _, state = reader.restore(saved.experiment, saved, checkpoint)
    return {path: np.asarray(leaf) for path, leaf in by_path(getattr(state, part)).items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The runs `first`, and `second`, which begins with the weights of the first but for one layer."""
    root = tmp_path_factory.mktemp("runs")
    start(tiny(), root, "first")
    start(tiny(seed=5, ema_decay=0.9), root, "second", Origin("first", "encoder/Dense_1/kernel"))
    return root


def test_a_run_begins_with_the_weights_of_another(root):
    there, begun = leaves(root / "first"), leaves(root / "second", "0")
    drawn = by_path(runner.prepare(tiny(seed=5), tiny().load()).state.params)
    left_out = [path for path in there if "encoder/Dense_1/kernel" in path]
    assert left_out and set(begun) == set(there) == set(drawn)
    for path, leaf in begun.items():
        np.testing.assert_array_equal(leaf, drawn[path] if path in left_out else there[path])
        assert path not in left_out or (leaf != there[path]).any()
    for path, leaf in leaves(root / "second", "0", "ema").items():
        np.testing.assert_array_equal(leaf, begun[path])
    known = read_json(root / "second" / "origin.json")
    assert (known["run"], known["step"]) == ("first", 4)
    assert known["left_out"] == [f"params/{path}" for path in left_out]


def test_it_is_resumed_as_any_run_but_not_without_those_weights(root, tmp_path):
    again = shutil.copytree(root / "second", tmp_path / "second")
    shutil.rmtree(again / "checkpoints" / "4")
    saved = reader.load_run(again)
    runner.resume(saved, saved.experiment)
    for path, leaf in leaves(again).items():
        np.testing.assert_array_equal(leaf, leaves(root / "second")[path])
    for run in (again, root / "second"):
        assert [line["step"] for line in read_metrics(run / "metrics.jsonl")] == [1, 2, 3, 4]
    shutil.rmtree(again / "checkpoints")
    with pytest.raises(
        UserError, match="was ended before the weights that it begins with were saved"
    ):
        runner.resume(saved, saved.experiment)


def test_what_cannot_be_taken_is_named_and_nothing_is_written(root):
    wider = replace(tiny(), model=replace(tiny().model, hidden_sizes=(11,)))
    for origin, message in (
        (
            Origin("first"),
            r"^params/\S+ is float32\[.* here and float32\[.* in .*first: leave it out by",
        ),
        (Origin("none"), r"none is not a run"),
        (Origin("first", "."), r"--init-without \. leaves out all of .*first: leave out less"),
    ):
        with pytest.raises(UserError, match=message):
            start(wider, root, "third", origin)
        assert not (root / "third").exists()


def test_options_that_do_not_fit():
    with pytest.raises(
        UserError, match="--init-without belongs to --init-from: name a run by that"
    ):
        RunOptions(init_without="x")
    with pytest.raises(UserError, match=r"--init-without is \(: give a regular expression"):
        RunOptions(init_from="first", init_without="(")
    assert RunOptions(init_from="first").origin == Origin("first")
