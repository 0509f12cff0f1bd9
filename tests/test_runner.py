"""Runs from start to finish and back: files, resumption bit for bit, samples, held-out metrics."""

import json
import math
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from matplotlib import image as matplotlib_image
from tensorboardX.proto.event_pb2 import Event

from jaxgen import reader
from jaxgen.cli.evaluate import evaluate
from jaxgen.cli.main import _main, run_command
from jaxgen.cli.train import train as train_command
from jaxgen.errors import Interrupted, UserError
from jaxgen.runs import log, loop
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.meter import is_time
from jaxgen.runs.run import Run

TINY = {
    "vae-digits": [
        "--model.hidden-sizes", "7", "--model.latent-size", "3", "--sampling.count", "5",
        "--judge-samples", "0",
    ],
    "gan-digits": [
        "--model.generator-sizes", "7", "--model.discriminator-sizes", "5", "--model.latent-size", "3",
        "--sampling.count", "5",
    ],
    "gpt-python": [
        "--model.num-layers", "1", "--model.num-heads", "2", "--model.model-size", "8",
        "--model.hidden-size", "12", "--model.max-seq-len", "16", "--seq-len", "16",
        "--sampling.max-tokens", "20",
    ],
}  # fmt: skip
LOSSES = {
    "vae-digits": ["loss"],
    "gpt-python": ["loss"],
    "gan-digits": ["discriminator_loss", "generator_loss"],
}


CADENCE = [
    "--batch-size", "8", "--log-every", "2", "--eval-every", "6", "--checkpoint-every", "4",
    "--steps-per-dispatch", "3",
]  # fmt: skip


def train(name, root, *flags, run="run"):
    train_command([name, "--runs", str(root), "--name", run, *TINY[name], *CADENCE, *flags])
    return root / run


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def without_seconds(lines):
    return [{name: value for name, value in line.items() if not is_time(name)} for line in lines]


def final_params(folder):
    saved = reader.load_run(folder)
    _, state = reader.restore(saved.experiment, saved)
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.params, state.opt_state))]


@pytest.fixture(
    scope="module",
    params=[
        "vae-digits",
        pytest.param("gan-digits", marks=pytest.mark.first),
        pytest.param("gpt-python", marks=pytest.mark.first),
    ],
)
def finished(request, tmp_path_factory):
    """(experiment name, folder) of an uninterrupted run of 10 steps."""
    root = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:  # once with its curves
        patch.setattr(loop, "plot_curves", log.plot_curves)
        return request.param, train(request.param, root, "--steps", "10")


# What is the same in every family is asked of one.
of_one_family = pytest.mark.parametrize("finished", ["vae-digits"], indirect=True)


def test_a_run_directory_holds_everything(finished, capsys):
    name, folder = finished
    lines = metrics(folder)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10]
    for line in lines:
        assert all(math.isfinite(line[loss]) for loss in LOSSES[name])
        assert ("eval/" in " ".join(line)) == (line["step"] in (6, 10))
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds) and seconds[0] > 0
    config = json.loads((folder / "config.json").read_text())
    assert config["experiment"] == name and config["fields"]["steps"] == 10
    suffix = "txt" if name == "gpt-python" else "png"
    samples = sorted(path.name for path in (folder / "samples").iterdir())
    assert samples == [f"step-0000006.{suffix}", f"step-0000010.{suffix}"]
    kept = sorted(int(path.name) for path in (folder / "checkpoints").iterdir())
    assert kept == [8, 10]
    curves = matplotlib_image.imread(folder / "curves.png")
    assert curves.std() > 0.05  # lines and letters, not a blank page


def test_metrics_keep_full_precision(finished):
    _, folder = finished
    for line in metrics(folder):
        value = line["gradient_norm"] if "gradient_norm" in line else line["generator_loss"]
        assert float(np.float32(value)) == value  # every bit of the float32 is in the file


def test_tensorboard_events_hold_the_metrics(finished):
    name, folder = finished
    (path,) = folder.glob("events.out.tfevents.*")
    found = {(event.step, value.tag): value.simple_value
             for event in read_events(path) for value in event.summary.value}  # fmt: skip
    for line in metrics(folder):
        for loss in LOSSES[name]:
            assert found[line["step"], f"metrics/{loss}"] == np.float32(line[loss])
        assert any(tag.endswith("learning_rate") for step, tag in found if step == line["step"])
    assert {tag for _, tag in found if tag.startswith("speed/")} >= {"speed/model_flops_per_second"}
    assert {tag.partition("/")[0] for _, tag in found} == {"metrics", "speed", "samples"}
    # What was found of held-out data has the same tags in a folder below: one chart for both.
    (path,) = (folder / "held-out").glob("events.out.tfevents.*")
    held_out = {(event.step, value.tag): value.simple_value
                for event in read_events(path) for value in event.summary.value}  # fmt: skip
    expected = {
        (line["step"], tag.replace("eval/", "metrics/")): np.float32(value)
        for line in metrics(folder) for tag, value in line.items() if tag.startswith("eval/")
    }  # fmt: skip
    assert held_out == expected and expected


def test_tensorboard_shows_what_was_drawn(finished):
    name, folder = finished
    (path,) = folder.glob("events.out.tfevents.*")
    drawn = [(event.step, value) for event in read_events(path) for value in event.summary.value
             if value.tag == "samples/sample"]  # fmt: skip
    assert [step for step, _ in drawn] == [6, 10]
    for step, value in drawn:
        if name == "gpt-python":
            text = (folder / "samples" / f"step-{step:07d}.txt").read_text()
            lines = value.tensor.string_val[0].decode().splitlines()
            assert [line[4:] for line in lines] == text.splitlines()
            assert value.metadata.plugin_data.plugin_name == "text"
        else:
            picture = (folder / "samples" / f"step-{step:07d}.png").read_bytes()
            assert value.image.encoded_image_string == picture
            size = matplotlib_image.imread(folder / "samples" / f"step-{step:07d}.png").shape[:2]
            assert (value.image.height, value.image.width) == size


def test_a_line_says_how_fast_the_steps_were(finished):
    """Not the first line, whose steps were compiled; the learning rate is in all."""
    name, folder = finished
    first, *others = metrics(folder)
    unit, per_step = ("tokens", 8 * 16) if name == "gpt-python" else ("images", 8)
    for line, before in zip(others, [first, *others[:-1]], strict=True):
        seconds = line["seconds"] - before["seconds"]
        if seconds > 0.02:  # they are written in milliseconds
            rate = (line["step"] - before["step"]) * per_step / seconds
            assert line[f"{unit}_per_second"] == pytest.approx(rate, rel=0.1)
        assert line["model_flops_per_second"] > 0 and "mfu" not in line  # no peak is known here
    assert not any(is_time(key) and key != "seconds" for key in first)


@of_one_family
def test_samples_go_where_they_are_told_and_the_run_stays_as_it_is(finished, tmp_path, capsys):
    _, folder = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    _main(["sample", str(folder), "--out", str(tmp_path / "new" / "here")])
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path.parent == tmp_path / "new" / "here" and path.exists()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def read_events(path):
    """The events of a file: each record is length (8 bytes), checksum (4), data, checksum (4)."""
    data, position = path.read_bytes(), 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 8], "little")
        yield Event.FromString(data[position + 12 : position + 12 + length])
        position += 16 + length


def test_a_resumed_run_is_the_uninterrupted_run(finished, tmp_path):
    name, whole = finished
    folder = train(name, tmp_path, "--steps", "4")
    train_command(["--resume", "run", "--runs", str(tmp_path), "--steps", "10"])
    config = json.loads((folder / "config.json").read_text())
    assert config["fields"]["steps"] == 10
    # Step 4 ended the first part, so it has held-out metrics; all else is equal, bit for bit.
    parts = [line for line in without_seconds(metrics(folder)) if line["step"] != 4]
    assert parts == [line for line in without_seconds(metrics(whole)) if line["step"] != 4]
    for ours, theirs in zip(final_params(folder), final_params(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@of_one_family
def test_what_a_step_does_not_read_may_change_on_the_way(finished, tmp_path):
    """How often a run logs, judges and saves, and what it keeps; the parameters are the same."""
    name, whole = finished
    folder = train(name, tmp_path, "--steps", "4")
    others = ["--log-every", "3", "--eval-every", "5", "--checkpoint-every", "3", "--keep-checkpoints",
              "1", "--on-full-disk", "continue"]  # fmt: skip
    train_command(["--resume", "run", "--runs", str(tmp_path), "--steps", "10", *others])
    assert [line["step"] for line in metrics(folder)] == [2, 4, 5, 6, 9, 10]
    for ours, theirs in zip(final_params(folder), final_params(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(UserError, match="--batch-size is 8 in the run and 9 here: leave it out"):
        train_command(["--resume", "run", "--runs", str(tmp_path), "--batch-size", "9"])


@of_one_family
def test_a_run_cut_short_logs_its_lost_steps_again(finished, tmp_path):
    """Lines beyond the checkpoint, and a torn one, are what a killed process leaves."""
    name, whole = finished
    folder = train(name, tmp_path, "--steps", "4")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "loss": 1.0, "seconds": 99.0}\n{"step": 8, "lo')
    train_command(["--resume", "run", "--runs", str(tmp_path), "--steps", "10"])
    lines = metrics(folder)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10]
    assert without_seconds(lines)[2:] == without_seconds(metrics(whole))[2:]


@of_one_family
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_goes_on(finished, tmp_path, number, monkeypatch):
    """The signal comes while step 2 is logged: the state of step 2 is saved, not only every fourth."""
    name, whole = finished
    handler = signal.getsignal(number)
    write = log.MetricsLog.write

    def write_and_stop(self, step, *rest):
        write(self, step, *rest)
        if step == 2:
            signal.raise_signal(number)

    with (
        monkeypatch.context() as patch,
        pytest.raises(Interrupted, match=r"stopped at step 2, .* name='run', runs='/"),
    ):
        patch.setattr(log.MetricsLog, "write", write_and_stop)
        train(name, tmp_path, "--steps", "10")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["2"]
    assert signal.getsignal(number) == handler  # as it was before
    train_command(["--resume", "run", "--runs", str(tmp_path)])
    assert without_seconds(metrics(tmp_path / "run")) == without_seconds(metrics(whole))


def test_a_run_whose_last_step_found_no_room_says_so(tmp_path, monkeypatch, capsys):
    """With --on-full-disk continue; here the disk takes nothing behind step 2."""
    save = Checkpoints.save

    def save_early(self, state, *rest):
        if int(state.step) <= 2:
            save(self, state, *rest)

    monkeypatch.setattr(Checkpoints, "save", save_early)
    flags = [*TINY["vae-digits"], *CADENCE, "--checkpoint-every", "2", "--steps", "4"]
    with pytest.raises(SystemExit) as end:
        run_command(train_command, ["vae-digits", "--runs", str(tmp_path), *flags])
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "has done its 4 steps, but the last that is saved is 2: make room" in said
    assert said.endswith(f"name='vae-digits', runs='{tmp_path}', resume=True)\n")  # in a program


def test_a_step_whose_judging_fails_is_saved(tmp_path, monkeypatch):
    """The last one: what is lost is its picture, and not the training since the checkpoint before."""
    usual = Run.sample_path

    def in_no_folder(run, step):
        return usual(run, step) if step < 12 else run.folder / "gone" / "12.png"

    monkeypatch.setattr(Run, "sample_path", in_no_folder)
    with pytest.raises(FileNotFoundError):
        train("vae-digits", tmp_path, "--steps", "12")
    with Checkpoints(tmp_path / "run" / "checkpoints") as checkpoints:
        assert checkpoints.latest == 12
    assert [line["step"] for line in metrics(tmp_path / "run")][-1] == 10
    evaluate([str(tmp_path / "run")])  # what it has not said


@of_one_family
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(finished, tmp_path):
    """On the command line: one line and nothing beside it, then the run is what it was.

    Who only reads leaves the damaged step where it lies.
    """
    _, whole = finished
    for command, moved in (
        (["evaluate", "run"], ""),
        (["train", "--resume", "run", "--runs", "."], r"; it is now 10\.damaged"),
    ):
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        for path in (folder / "checkpoints" / "10").rglob("d/*"):
            path.write_bytes(b"")
        done = subprocess.run(
            [sys.executable, "-m", "jaxgen", *command], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0
        assert re.fullmatch(
            r"warning: run/checkpoints/10: state/\S+ is damaged, so every leaf is lost: going on from "
            rf"step 8{moved}\n",
            done.stderr.replace("./", ""),
        )
    assert without_seconds(metrics(folder)) == without_seconds(metrics(whole))
    for ours, theirs in zip(final_params(folder), final_params(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@of_one_family
def test_a_checkpoint_of_another_model_is_named_with_the_flag(finished, tmp_path):
    """config.json was changed by hand, so nothing but the checkpoint can tell."""
    _, whole = finished
    folder = shutil.copytree(whole, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    config["fields"]["model"]["latent_size"] = 5
    del config["sha256"]
    (folder / "config.json").write_text(json.dumps(config))
    message = (
        r"checkpoints/10 has params/\S+ as float32\[.*, and this model as float32\[.* "
        r"--model.latent-size is 3 there and 5 here"
    )
    for command in (
        ["evaluate", str(folder)],
        ["train", "--resume", "run", "--runs", str(tmp_path)],
    ):
        with pytest.raises(UserError, match=message):
            _main(command)


def test_a_full_disk_is_said(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", small])
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        with pytest.raises((UserError, OSError), match=r"disk of .* is full|No space left"):
            train("vae-digits", small, "--steps", "40", "--model.hidden-sizes", "500")
    finally:
        subprocess.run(["umount", "-l", small], check=True)


@of_one_family
def test_resume_refuses_what_would_be_another_run(finished):
    name, folder = finished
    resume = [name, "--resume", folder.name, "--runs", str(folder.parent)]
    with pytest.raises(UserError, match="--batch-size is 8 in the run and 9 here"):
        train_command([*resume, "--batch-size", "9"])
    with pytest.raises(UserError, match="--steps is 3, but the run has done 10: give more"):
        train_command([*resume, "--steps", "3"])
    with pytest.raises(UserError, match=r"is a run of .*, not of"):
        other = next(other for other in TINY if other != name)
        train_command([other, *resume[1:]])
    before = (folder / "metrics.jsonl").read_bytes()
    train_command([*resume, "--batch-size", "8"])  # agrees, and there is nothing left to do
    assert (folder / "metrics.jsonl").read_bytes() == before


@of_one_family
def test_the_last_line_is_the_run_directory(finished, tmp_path, capsys):
    name, _ = finished
    folder = train(name, tmp_path, "--steps", "2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(folder)
    assert any(re.fullmatch(r"step 2/2 .*loss .*", line) for line in lines)


def test_evaluate_repeats_the_held_out_metrics_of_the_run(finished, capsys):
    _, folder = finished
    _main(["evaluate", str(folder), "--json"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    last = metrics(folder)[-1]
    expected = {name: value for name, value in last.items() if name.startswith("eval/")}
    assert json.loads(lines[0]) == {"step": 10, **expected}


def test_sample_is_a_function_of_the_seed(finished, capsys):
    name, folder = finished
    flags = ["--max-tokens", "30"] if name == "gpt-python" else ["--count", "3"]
    contents = {}
    for seed in ("1", "2", "1"):
        capsys.readouterr()
        _main(["sample", str(folder), "--seed", seed, *flags])
        out, err = capsys.readouterr()
        if name == "gpt-python":  # the text and nothing else; the rate beside it
            content = out
            assert len(out) == 32 and "30 tokens" in err and "tokens a second" in err
        else:
            content = Path(out.splitlines()[-1]).read_bytes()
        assert contents.setdefault(seed, content) == content
    assert contents["1"] != contents["2"]


@pytest.mark.first
def test_a_prompt_is_continued(tmp_path, capsys):
    text = tmp_path / "poem.txt"
    text.write_text("床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。" * 40, encoding="utf-8")
    for tokenizer in ("characters", "bytes"):
        flags = ["--steps", "2", "--data", f"text:{text}", "--tokenizer", tokenizer]
        folder = train("gpt-python", tmp_path, *flags, run=tokenizer)
        capsys.readouterr()
        _main(["sample", str(folder), "--prompt", "明月", "--max-tokens", "5"])
        assert capsys.readouterr().out.startswith("明月")
    with pytest.raises(UserError, match="Q"):
        _main(["sample", str(tmp_path / "characters"), "--prompt", "Q"])
    assert "eval/nats_per_character" in metrics(folder)[-1]


@pytest.mark.first
def test_words_are_trained_but_not_compared_by_character(tmp_path):
    """Words do not give the text back, so nats per character would flatter them."""
    text = tmp_path / "words.txt"
    text.write_text("one two three four five six seven eight " * 40)
    flags = ["--steps", "2", "--data", f"text:{text}", "--tokenizer", "words"]
    last = metrics(train("gpt-python", tmp_path, *flags))[-1]
    assert math.isfinite(last["eval/loss"]) and "eval/nats_per_character" not in last


def test_a_prompt_that_cannot_be_read_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="漢"):
        train("gpt-python", tmp_path, "--steps", "2", "--sampling.prompt", "漢")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.first
def test_changed_data_is_noticed(tmp_path):
    """What differs is said, to --resume and to evaluate: both ask `load_same`."""
    text = tmp_path / "text.txt"
    text.write_text("abcdefgh " * 100)
    folder = train("gpt-python", tmp_path, "--steps", "2", "--data", f"text:{text}")
    saved = reader.load_run(folder)
    for changed, what in (
        ("abcdefghij " * 100, "(another tokenizer)"),
        ("abcdefgh " * 99 + "abcdefhg ", "(another held-out 'tokens')"),
        ("bacdefgh " + "abcdefgh " * 99, "(another first_token)"),
        ("abdcefgh " + "abcdefgh " * 99, "(another training 'tokens')"),
        (
            "abcdefgh " * 101,
            "(794 training examples then, 802 now, another training 'tokens', 74 held-out examples "
            "then, 75 now, another held-out 'tokens')",
        ),
    ):
        text.write_text(changed)
        with pytest.raises(UserError, match="has changed since") as error:
            reader.load_same(saved)
        assert what in str(error.value)
    with pytest.raises(UserError, match="has changed since"):
        _main(["evaluate", str(folder)])
    with pytest.raises(UserError, match="has changed since"):
        train_command(["--resume", "run", "--runs", str(tmp_path), "--steps", "4"])
    text.write_text("abcdefgh " * 100)
    assert reader.load_same(saved).train.num_examples == 794
    kept = json.loads((folder / "data.json").read_text())
    for damaged in ([], {"train": 1}, {"train": {"examples": 1}, "test": {}}):
        (folder / "data.json").write_text(json.dumps(kept | {"content": damaged}))
        with pytest.raises(UserError, match=r"data.json is damaged"):
            reader.load_same(reader.load_run(folder))


def test_divergence_stops_the_run_with_the_remedy(tmp_path, allow_nans):
    """The first update throws the parameters away, so the second step finds no finite loss."""
    message = (
        r"not finite at step 2 \(.*\bloss (nan|inf).*nothing was saved yet: start another --name"
    )
    with pytest.raises(UserError, match=message):
        train("vae-digits", tmp_path, "--steps", "40", "--optimizer.learning-rate", "1e30")
    assert list((tmp_path / "run" / "checkpoints").glob("[0-9]*")) == []
    assert metrics(tmp_path / "run") == []


@of_one_family
def test_damaged_config_is_refused(finished, tmp_path):
    _, folder = finished
    saved = json.loads((folder / "config.json").read_text())
    del saved["sha256"]  # as a person who edits the file does
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "data.json").write_text((folder / "data.json").read_text())
    damages = {
        "not JSON": "is not JSON",
        json.dumps([1]): "does not hold a JSON object",
        json.dumps(saved | {"format": 99}): "has format 99",
        json.dumps(saved | {"format": 1}): "has format 1, and this jaxgen reads 2: use the version",
        json.dumps({"format": 2}): "lacks 'experiment' or 'fields'",
        json.dumps(saved | {"experiment": "nope"}): "no experiment 'nope'",
        json.dumps(saved | {"fields": saved["fields"] | {"odd": 1}}): "has a field odd",
        json.dumps(saved | {"fields": saved["fields"] | {"steps": "9"}}): "has '9' for steps",
    }
    for content, message in damages.items():
        (copy / "config.json").write_text(content)
        with pytest.raises(UserError, match=message):
            reader.load_run(copy)
    (copy / "config.json").write_text(json.dumps(saved))
    (copy / "data.json").write_text("{}")
    with pytest.raises(UserError, match=r"data.json is damaged"):
        reader.load_run(copy)


def test_a_model_beyond_memory_is_refused_before_anything_is_written(tmp_path):
    """7 TB of parameters: with what a step needs, what there is, and what to lower."""
    with pytest.raises(UserError) as error:
        train_command(
            ["vae-digits", "--model.hidden-sizes", "3000000", "300000", "--runs", str(tmp_path)]
        )
    text = str(error.value)
    assert re.match(
        r"Out of memory: a step needs 7\.2e\+03 GB of parameters, 7\.2e\+03 GB of gradients, "
        r"1\.44e\+04 GB of optimiser on each device, and its activations, and there are [\d.]+ GB: "
        r"choose a smaller model, lower --batch-size",
        text,
    )
    assert "\n" not in text and "remat" not in text
    assert list(tmp_path.iterdir()) == []


def test_xla_s_own_message_comes_with_the_estimate():
    from jaxgen.devices.choose import make_plan
    from jaxgen.devices.memory import explained_memory
    from jaxgen.training.state import Weights, init_state

    def init(key):
        return init_state(Weights({"w": jax.numpy.zeros((250, 1000))}), (), key)

    plan = make_plan("jit", None, batch_size=16)
    message = (
        r"Out of memory: a step needs 0\.001 GB of parameters, 0\.001 GB of gradients on each device, "
        r"and its activations, and XLA says .*Out of memory allocating 3600.*raise --accumulate, "
        r"set --model\.remat, or split the state"
    )
    with (
        pytest.raises(UserError, match=message),
        explained_memory(plan.shapes(init), plan, "set --model.remat, "),
    ):
        jax.jit(lambda: jax.numpy.zeros((30_000_000, 30_000_000)))().block_until_ready()


@pytest.mark.first
def test_the_best_checkpoint_stays_and_can_be_asked_for(tmp_path, capsys):
    """With too high a rate the held-out loss rises again: the best is not among the newest."""
    flags = ["--eval-every", "2", "--checkpoint-every", "2", "--keep-checkpoints", "1"]
    folder = train(
        "vae-digits", tmp_path, *flags, "--steps", "12", "--optimizer.learning-rate", "3.0"
    )
    held_out = {line["step"]: line["eval/loss"] for line in metrics(folder) if "eval/loss" in line}
    best = min(held_out, key=held_out.get)
    kept = {int(path.name) for path in (folder / "checkpoints").iterdir()}
    assert kept == {best, 12} and best != 12
    capsys.readouterr()
    for which, step in (("best", best), ("latest", 12), (str(best), best)):
        evaluate([str(folder), "--json", "--checkpoint", which])
        found = json.loads(capsys.readouterr().out)
        assert found["step"] == step
        assert found["eval/loss"] == pytest.approx(held_out[step], rel=1e-6)
    with pytest.raises(UserError, match="--checkpoint is newest: give latest, best or a step"):
        evaluate([str(folder), "--checkpoint", "newest"])
