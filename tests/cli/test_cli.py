"""The command line as a stranger uses it: what it lists, refuses and prints."""

import asyncio
import os
import resource
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxgen import launch
from jaxgen.cli.main import _hear_no_callbacks, _main, run_command
from jaxgen.cli.parsing import print_list
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.experiments.registry import experiment_names
from jaxgen.runs.durable import make_folder, naming
from jaxgen.runs.options import RunOptions
from jaxgen.runs.run import run_path

TRAIN = Path(__file__).parents[2] / "train.py"


def test_train_lists_the_experiments_with_one_line_each(capsys):
    train([])
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line.startswith("  ")}
    assert list(listed) == experiment_names()
    assert set(listed) >= {"gan-digits", "gpt-python", "vae-digits", "gpt3-1.3b"}
    assert not any(text.startswith("BROKEN") for text in listed.values())
    assert all(text.endswith(".") and len(text) > 20 for text in listed.values())


def test_help_documents_every_field_within_two_seconds_of_one_core():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, TRAIN, "gpt-python", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for flag in ("--steps", "--seed", "--batch-size", "--data", "--name", "--runs", "--resume",
                 "--log-every", "--checkpoint-every", "--optimizer.learning-rate",
                 "--model.num-layers", "--sampling.temperature"):  # fmt: skip
        assert flag in done.stdout
    assert "Steps to train for." in done.stdout
    # Not by the clock: other processes share the machine. Half a second where it is quiet, and up to
    # twice as much on a core that is shared.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0


@pytest.mark.parametrize("columns", [80, 44])
def test_help_fills_its_lines(columns, monkeypatch, capsys):
    """No line of a field's text ends where the next one's first word would have had room."""
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        train(["vae-digits", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= columns for line in lines)
    texts = [line[1:-1].rstrip() for line in lines if line.startswith("│       ")]
    assert "grey level as probability" in " ".join(" ".join(texts).split())
    for line, after in pairwise(line[1:-1].rstrip() for line in lines if line.startswith("│")):
        if min(len(each) - len(each.lstrip()) for each in (line, after)) > 5:
            assert len(f"{line} {after.split()[0]}") > columns - 3, (line, after)


def test_lists_hang_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    train([])
    lines = capsys.readouterr().out.splitlines()
    (first,) = (place for place, line in enumerate(lines) if line.startswith("  vae-digits "))
    assert lines[first : first + 3] == [
        "  vae-digits              An MLP", "    variational autoencoder on", "    handwritten digits.",
    ]  # fmt: skip


BAD_INPUT = {
    "unknown experiment": ("vae-digit", "no experiment 'vae-digit'; did you mean vae-digits\\?"),
    "no experiment": ("--steps 5", "Name an experiment first, .*: train.py lists them"),
    "unknown field": ("vae-digits --stepz 5", "no field --stepz: did you mean --steps?"),
    "unknown nested field": (
        "vae-digits --optimizer.learning-rat 1", "did you mean --optimizer.learning-rate?",
    ),
    "stray argument": ("vae-digits more", "takes no argument 'more'"),
    "not a number": ("vae-digits --steps abc", "--steps is 'abc': give a whole number, in digits"),
    "no value": ("vae-digits --steps", "--steps stands without its value: give one"),
    "not a choice": ("vae-digits --likelihood foo", "--likelihood is 'foo': give one of "),
    "out of range": ("vae-digits --steps 0", "--steps is 0: give 1 or more"),
    "rate not a number": ("vae-digits --optimizer.learning-rate nan", "learning-rate is nan: give"),
    "one of two owners of a config": (
        "gan-digits --generator-optimizer.beta1 2", "--generator-optimizer.beta1 is 2.0: give",
    ),
    "nested range": ("gan-digits --model.latent-size 0", "--model.latent-size is 0: give 1 or more"),
    "sizes that do not divide": ("gpt-python --model.num-heads 3", "not a multiple of --model.num-h"),
    "sequence longer than the model": (
        "gpt-python --seq-len 65", "--seq-len 65 is longer than .* --model.max-seq-len 64",
    ),
    "grey likelihood of binary data": (
        "vae-digits --likelihood gaussian-pixel", "is for grey levels: give --binarise no",
    ),
    "grey pixels for a Bernoulli": ("vae-digits --binarise no", "give threshold, once or draw, or grey"),
    "levels that are not the data's": (
        "vae-digits --likelihood logistic --binarise no --levels 16", "whose pixels have 17 levels",
    ),
    "no levels at all": ("vae-digits --likelihood categorical --binarise no", "give 2 or more with"),
    "no draws": ("vae-digits --estimator iwae --samples 0", "--samples is 0: give 1 to 100,000"),
    "a price in a bound that has none": (
        "vae-digits --estimator dreg --samples 5 --beta 2", "leave out --kl, --beta",
    ),
    "no latent": ("vae-digits --model.latent-size 0", "--model.latent-size is 0: give 1 or more"),
    "a mask by no known name": ("vae-digits --sampling.mask middle", "give top, bottom, left"),
    "labels where there are none": (
        "gan-digits --loss wasserstein --label-smoothing one-sided", "leave it out or choose",
    ),
    "unknown source": ("vae-digits --data nope", "source 'nope' is not known; known are .*idx:DIR"),
    "text for images": ("vae-digits --data python-reference", "does not hold images"),
    "missing text": ("gpt-python --data text:{tmp}/none.txt", "none.txt does not exist"),
    "empty text": ("gpt-python --data text:{tmp}/empty.txt", "empty.txt is empty"),
    "truncated idx": ("vae-digits --data idx:{tmp}", "train-images-idx3-ubyte.*(truncated|bytes)"),
    "images fewer than a batch": ("vae-digits --batch-size 1438", "batch_size is 1438.* 1437"),
    "name that leaves the root": ("vae-digits --name ../x", "'../x' cannot name a run"),
    "root that cannot be written": ("vae-digits --runs {tmp}/empty.txt", "Cannot write to"),
    "name that is taken": ("vae-digits --name taken", "taken exists and is no run: give another name"),
    "empty name to resume": ("--resume=", "'' cannot name a run"),
    "name like a flag": ("vae-digits --name=-x", "'-x' cannot name a run: .* with neither"),
    "empty name": ("vae-digits --name=", "'' cannot name a run"),
    "infinite decay": ("vae-digits --optimizer.weight-decay inf", "weight-decay is inf: give a finite"),
    "more steps than a counter holds": ("vae-digits --steps 99999999999", "less than 2\\^31"),
    "a grid beyond reason": ("vae-digits --sampling.count 1000000000", "give 1 to 10,000"),
    "documents apart, read one after the other": (
        "gru-shakespeare --stateful --documents apart", "--stateful reads .*: give --documents marked",
    ),
    "misplaced no": ("gpt-python --no-model.use-bias", "did you mean --model.no-use-bias?"),
    "a name too long": ("vae-digits --name " + 300 * "x", "File name too long"),
    "resume from nothing": ("--resume nothing", "is not a run: it has no config.json"),
    "resume without config": ("--resume taken", "is not a run: it has no config.json"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_leaves_nothing(case, tmp_path):
    line, message = BAD_INPUT[case]
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(
        b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02123"
    )
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(
        b"\0\0\x08\x03\0\0\0\x01\0\0\0\x01\0\0\0\x011"
    )
    runs = tmp_path / "runs"
    (runs / "taken").mkdir(parents=True)
    args = line.format(tmp=tmp_path).split()
    if "--runs" not in args:
        args += ["--runs", str(runs)]
    with pytest.raises(UserError, match=message) as error:
        train(args)
    assert len(str(error.value).splitlines()) == 1
    assert sorted(path.name for path in runs.rglob("*")) == ["taken"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "empty.txt", "runs", "t10k-images-idx3-ubyte", "train-images-idx3-ubyte",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no-such"], "no command 'no-such'"),
        (["evaluate", "no-such"], "no-such is not a run"),
        (["sample"], "Name a run directory first"),
        (["evaluate"], "Name a run directory first"),
        (["equations", "gan.minimaxx"], "gan.minimax"),
    ],
)
def test_bad_commands(args, message):
    with pytest.raises(UserError, match=message):
        _main(args)


@pytest.mark.parametrize("words", [["--version"], ["help"], ["help", "sample"], ["sample", "--help"],
                                   ["-h"], ["help", "equations"]])  # fmt: skip
def test_what_is_asked_of_a_command_is_told(words, capsys):
    try:
        _main(words)
    except SystemExit as end:
        assert not end.code
    said = capsys.readouterr()
    assert said.err == "" and max(map(len, said.out.splitlines())) <= 85
    wanted = {"--version": "jaxgen 0.", "sample": "jaxgen sample", "equations": "jaxgen equations"}
    assert any(text in said.out for word, text in wanted.items() if word in words) or (
        "usage: jaxgen COMMAND" in said.out
    )


@pytest.mark.parametrize(
    ("name", "flag", "meant"),
    [
        ("gpt-python", "--lr", "--optimizer.learning-rate"),
        ("gpt-python", "--epochs", "--steps"),
        ("gpt-python", "--n_layer", "--model.num-layers"),
        ("gpt-python", "--block-size", "--seq-len"),
        ("gan-digits", "--lr", "--generator-optimizer.learning-rate or "
                               "--discriminator-optimizer.learning-rate"),
    ],
)  # fmt: skip
def test_a_field_is_found_by_what_others_call_it(name, flag, meant):
    with pytest.raises(UserError) as error:
        train([name, flag, "1"])
    assert str(error.value) == f"There is no field {flag}: did you mean {meant}?"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--steps 1e3", "--steps is '1e3': give a whole number, in digits."),
        ("--optimizer.learning-rate x", "--optimizer.learning-rate is 'x': give a number."),
        ("--model.hidden-sizes a", "--model.hidden-sizes is 'a', which it cannot be."),
        ("--parallel x", "--parallel is 'x': give one of "),
        ("--prompt hello", "There is no field --prompt: see train.py"),  # nothing is like it
    ],
)
def test_a_value_that_cannot_be_read_is_told_in_words(flags, said):
    with pytest.raises(UserError) as error:
        train(["vae-digits", *flags.split()])
    assert str(error.value).startswith(said)


def test_a_narrow_terminal_has_a_dash_and_a_minus():
    sign = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(TRAIN.parent)}
    code = "from jaxgen.cli import run_command; run_command(lambda _: print('1 − 2 — x ± é'), [])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | sign
    )
    assert done.stdout == "1 - 2 - x +- \\xe9\n", done.stderr


def test_a_long_name_moves_its_column(capsys):
    print_list({"a": "one", "a-name-of-24-characters-x": "two"}, 10)
    one, two = capsys.readouterr().out.splitlines()
    assert one.index("one") == two.index("two")


def test_a_run_is_named_by_its_path_too(tmp_path):
    runs = Path("runs")
    assert RunOptions(init_from="runs/first").origin.run == "first"
    assert RunOptions(resume="./runs/first/").resume == "first"
    assert RunOptions(runs=tmp_path, resume=str(tmp_path / "a")).resume == "a"
    with pytest.raises(UserError, match="'other/first' cannot name a run"):
        run_path(runs, RunOptions(init_from="other/first").origin.run)


def test_help_fits_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        launch.launch(["--help"])
    with pytest.raises(SystemExit):
        train(["vae-digits", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("platform", ["abacus", "cuda"])
def test_a_platform_that_there_is_not_is_a_sentence(tmp_path, platform):
    """For one whose plugin is missing jax itself has an assertion and no word."""
    if platform == "cuda" and (find_spec("jax_cuda12_plugin") or find_spec("jax_cuda13_plugin")):
        pytest.skip("jax is installed for it")
    command = [sys.executable, TRAIN, "vae-digits", "--runs", tmp_path]
    environment = os.environ | {"JAX_PLATFORMS": platform}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert done.stderr.startswith("error: jax finds no device")
    assert f"$JAX_PLATFORMS is {platform!r}: give cpu, or cuda or tpu where" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_process_ends_with_the_sentence_and_status_2(tmp_path):
    command = [sys.executable, TRAIN, "vae-digits", "--steps", "-3", "--runs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: --steps is -3: give 1 or more.\n"
    assert list(tmp_path.iterdir()) == []


def test_interruption_has_a_status_of_its_own(capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        run_command(interrupt, [])
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_is_called_back_of_a_failed_save_is_no_news(monkeypatch):
    """Tensorstore still speaks to orbax's loop, in any thread; the save's own failure is told."""
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed") as closed:
        loop.call_soon_threadsafe(print)
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    _hear_no_callbacks()
    by_us = closed.value.__traceback__
    for trace, told in ((by_us.tb_next, 0), (by_us, 1)):  # from C++ asyncio's is the first frame
        sys.unraisablehook(SimpleNamespace(exc_value=closed.value, exc_traceback=trace))
        assert len(heard) == told


def test_equations_are_listed_and_shown(capsys):
    _main(["equations"])
    listed = capsys.readouterr().out
    assert "attention.scaled-dot-product" in listed
    _main(["equations", "vae.gaussian-kl"])
    assert "Kingma" in capsys.readouterr().out


STREAMS = {  # what the shell does with the output, the environment, the status, what stderr says
    "closed": (">&-", {}, 0, ""),
    "nobody reads": ("| true; exit ${PIPESTATUS[0]}", {}, 1, ""),
    "ASCII": ("> out", {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}, 0, ""),
    "full": ("> /dev/full", {}, 2, "error: No space left on device: make room.\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAMS)
def test_standard_output_may_be_closed_narrow_or_full(tmp_path, case):
    how, environment, status, said = STREAMS[case]
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m jaxgen equations {how}"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(TRAIN.parent)} | environment, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, said)


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path, capsys):
    tiny = ["vae-digits", "--model.hidden-sizes", "7", "--batch-size", "8", "--runs", str(tmp_path)]
    train([*tiny, "--steps", "2", "--judge-samples", "0"])
    metrics = tmp_path / "vae-digits" / "metrics.jsonl"
    metrics.unlink()
    metrics.mkdir()
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        run_command(train, ["--resume", "vae-digits", "--runs", str(tmp_path), "--steps", "3"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said == f"error: {metrics}: Is a directory: move the folder out of the way.\n"


def test_a_file_in_the_place_of_a_folder_and_a_folder_that_is_gone_are_one_sentence(
    tmp_path, capsys
):
    (tmp_path / "runs").write_text("no folder")
    with pytest.raises(SystemExit) as end:
        run_command(lambda _: make_folder(tmp_path / "runs"), [])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/runs: Not a directory: move the file out of the way.\n"
    )

    def moved(_):
        with naming(tmp_path / "runs/x/samples/step-0000002"):
            (tmp_path / "gone" / "picture.png").write_bytes(b"")

    with pytest.raises(SystemExit) as end:
        run_command(moved, [])
    assert end.value.code == 2
    said = "No such file or directory: bring it back, or name another place."
    assert capsys.readouterr().err == f"error: {tmp_path}/runs/x/samples/step-0000002: {said}\n"
