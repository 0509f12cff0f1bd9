"""A run that comes from a stranger: no code, no way out of its folder, one sentence of refusal."""

import json
import os
import shutil
import zipfile

import jax
import numpy as np
import pytest

from jaxgen.cli import run_command
from jaxgen.cli.evaluate import evaluate
from jaxgen.cli.sample import sample
from jaxgen.cli.train import train
from jaxgen.data import load, spec_from_json
from jaxgen.errors import UserError, printable
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import Manifest
from jaxgen.runs.seal import own_digest

TINY = [
    "vae-digits", "--model.hidden-sizes", "7", "--model.latent-size", "3", "--sampling.count", "4",
    "--steps", "2", "--batch-size", "8", "--checkpoint-every", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    root = tmp_path_factory.mktemp("honest")
    train([*TINY, "--runs", str(root), "--name", "run"])
    return root / "run"


@pytest.fixture
def run(honest, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(honest, tmp_path / "runs" / "run")


def edit(path, change):
    """Read a JSON file, let `change` alter it, and write it back as its author might, without a seal."""
    fields = json.loads(path.read_text())
    del fields["sha256"]
    change(fields)
    path.write_text(json.dumps(fields))


COMMANDS = [sample, evaluate]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "data.json",
        "samples",
        "checkpoints",
        "checkpoints/2",
        "samples/step-0000002.png",
    ],
)
def test_a_link_in_a_run_is_refused(run, tmp_path, command, name):
    outside = tmp_path / "outside"
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    with pytest.raises(UserError, match=f"{name} is a symbolic link"):
        command([str(run)])


@pytest.mark.parametrize("name", ["checkpoints/3.saving", "samples/step-0000003.png"])
def test_no_link_leads_what_a_resumed_run_writes_out_of_it(run, tmp_path, name):
    (run / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=f"{name} is a symbolic link"):
        train(["--resume", "run", "--runs", str(run.parent), "--steps", "3"])
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples/x", "checkpoints/x"])
def test_a_pipe_in_a_run_is_refused(run, name):
    """To read it would never end."""
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(UserError, match=f"{name} is a device or a pipe: take it out of the run"):
        sample([str(run)])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_is_too_long_is_no_run(command):
    with pytest.raises(UserError, match=r"is not a run: it has no config\.json"):
        command(["a" * 5000])


def test_a_run_s_own_folder_may_be_a_link(run, tmp_path, capsys):
    (tmp_path / "shortcut").symlink_to(run)
    evaluate([str(tmp_path / "shortcut"), "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["step"] == 2


@pytest.mark.parametrize("what", ["file", "folder", "unknown file"])
def test_a_link_or_a_stranger_s_file_in_a_step_spoils_the_step(run, tmp_path, capsys, what):
    """The step before it serves, and a line on stderr says why."""
    step = run / "checkpoints" / "2"
    if what == "unknown file":
        (step / "state" / "more").write_text("x")
    else:
        victim = {"file": step / "manifest.json", "folder": step / "state"}[what]
        victim.rename(tmp_path / "outside")
        victim.symlink_to(tmp_path / "outside")
    evaluate([str(run), "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["step"] == 1
    (line,) = captured.err.splitlines()
    assert ("not in manifest.json" if what == "unknown file" else "symbolic link") in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields["leaves"]["step"].update(shape=[10**12]), "step as int32"),
        (lambda fields: fields["files"].update({"../../data.json": "0" * 64}), "data.json is missing"),
        (lambda fields: fields["files"].update({"/etc/hostname": "0" * 64}), "hostname is missing"),
        (lambda fields: fields["leaves"].update(x=fields["leaves"]["step"]), "has x as"),
    ],
)  # fmt: skip
def test_a_manifest_that_was_forged_with_its_digest(run, change, message):
    """Whoever writes a manifest can write its digests; shapes and paths are still ours to judge."""
    for step in (run / "checkpoints").iterdir():
        fields = json.loads((step / "manifest.json").read_text())
        change(fields)
        fields.pop("sha256")
        text = json.dumps(fields | {"sha256": own_digest(fields)})
        assert Manifest.from_json(text)
        (step / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=message):
        evaluate([str(run)])


@pytest.mark.parametrize("name", ["config.json", "data.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", "null", "\x00"])
def test_json_that_is_none(run, name, text):
    (run / name).write_text(text)
    with pytest.raises(UserError, match=name):
        evaluate([str(run)])


@pytest.mark.parametrize("value", [float("nan"), "lots", -1.0, [1], None, {"a": 1}])
def test_fields_of_the_wrong_kind(run, value):
    edit(run / "config.json", lambda c: c["fields"]["optimizer"].update(learning_rate=value))
    with pytest.raises(UserError, match=r"learning.rate"):
        evaluate([str(run)])


BEYOND = {
    "steps_per_dispatch": 2**31, "keep_checkpoints": 10**400, "model.latent_size": 2**31,
    "model.hidden_sizes": [7, 2**40],
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND)
def test_numbers_that_no_run_can_use_are_refused_before_the_run_and_after(run, tmp_path, name):
    parent, _, field = name.rpartition(".")
    flag, value = f"--{name.replace('_', '-')}", BEYOND[name]
    message = f"{flag} is [0-9]+: give a number below 2.31"
    numbers = map(str, value if isinstance(value, list) else [value])
    with pytest.raises(UserError, match=message):
        train([*TINY, flag, *numbers, "--runs", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()

    def change(config):
        place = config["fields"][parent] if parent else config["fields"]
        place[field] = value

    edit(run / "config.json", change)
    with pytest.raises(UserError, match=message):
        sample([str(run)])


def test_a_model_beyond_memory_is_refused_before_anything_of_it_exists(run):
    sizes = [3_000_000, 300_000]
    edit(run / "config.json", lambda c: c["fields"]["model"].update(hidden_sizes=sizes))
    with pytest.raises(UserError, match=r"Out of memory: a step needs 7\.2e\+03 GB of para"):
        sample([str(run)])


def test_nothing_is_allocated_before_the_manifest_agrees(run, monkeypatch):
    """Sizes come from config.json; what is compared with the manifest has no values yet."""
    compared = []

    def restore(checkpoints, like, step):
        compared.append(like)
        raise UserError("refused")

    monkeypatch.setattr(Checkpoints, "restore", restore)
    with pytest.raises(UserError, match="refused"):
        sample([str(run)])
    leaves = jax.tree.leaves(compared)
    assert len(leaves) > 10 and all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)


IMAGES = {"kind": "images", "height": 8, "width": 8, "channels": 1, "num_classes": 10}
TEXT = {"kind": "text", "tokenizer": {"name": "characters", "characters": "ab"}, "first_token": 1}
WORDS = {"name": "words", "words": ["a", "b"]}
SPECS = [
    *(IMAGES | {"height": value} for value in ("8", 0, -8, 2**31, True, 8.0, None, [8])),
    IMAGES | {"num_classes": 0}, {"kind": "images", "height": 8, "width": 8, "num_classes": 10},
    *(TEXT | {"first_token": value} for value in (2, -1, "a", None)),
    *(TEXT | {"tokenizer": value} for value in ({}, [], "bytes", None, {"name": []}, {"name": "x"})),
    TEXT | {"tokenizer": {"name": "characters", "characters": ["a", "b"]}},
    *(TEXT | {"tokenizer": WORDS | {"words": value}} for value in ("ab", [1, 2], {"a": 1})),
]  # fmt: skip


@pytest.mark.parametrize("values", SPECS)
def test_a_spec_of_the_wrong_kind(values):
    for honest in (IMAGES, TEXT, TEXT | {"tokenizer": WORDS}):
        assert spec_from_json(honest).to_json() == honest
    with pytest.raises((KeyError, TypeError, ValueError)):
        spec_from_json(values)


@pytest.mark.parametrize("values", [SPECS[0], TEXT, {}, {"kind": []}])
def test_a_run_whose_data_json_does_not_suit_it(run, values):
    (run / "data.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"data.json is damaged .*: restore it from a copy"):
        sample([str(run)])


def test_what_json_allows_and_no_run_holds(run):
    """A field named twice (a person reads the first, Python the last), half a character, 17 MB."""
    text = (run / "config.json").read_text()
    for before, after, message in (
        ('"data": "digits"', '"data": "digits", "data": "idx:/secret"', "names a field twice"),
        ('"digits"', '"idx:\\ud800"', "surrogates not allowed"),
        ("{", "{" + " " * 17_000_000, "is larger than 16 MB"),
    ):
        assert before in text
        (run / "config.json").write_text(text.replace(before, after, 1))
        with pytest.raises(UserError, match=f"config.json is not JSON .*{message}"):
            sample([str(run)])


@pytest.mark.parametrize("text", ["idx:\x1b[2J", "idx:a\rb", "idx:\x9b2J"])
def test_no_field_steers_the_terminal_that_shows_the_help(run, tmp_path, capsys, text):
    with pytest.raises(UserError, match="--data has control characters: take them out"):
        train([*TINY, "--data", text, "--runs", str(tmp_path / "new")])
    capsys.readouterr()
    edit(run / "config.json", lambda config: config["fields"].update(data=text))
    with pytest.raises(UserError, match="--data has control characters: take them out"):
        train(["--resume", "run", "--runs", str(run.parent), "--help"])
    assert capsys.readouterr().out == ""


def test_a_newer_format_is_named(run):
    edit(run / "config.json", lambda config: config.update(format=99))
    with pytest.raises(UserError, match="has format 99, and this jaxgen reads 2: use the version"):
        sample([str(run)])


def test_sampling_reads_no_data(run):
    """The data that a stranger's config names is not touched; judging reads it and says which."""
    edit(run / "config.json", lambda config: config["fields"].update(data="idx:/nonexistent"))
    sample([str(run)])
    with pytest.raises(UserError, match="/nonexistent"):
        evaluate([str(run)])


def test_no_file_s_content_steers_the_terminal(run, capsys):
    edit(run / "config.json", lambda config: config["fields"].update({"\x1b[2Jboom": 1}))
    with pytest.raises(SystemExit) as end:
        run_command(evaluate, [str(run)])
    error = capsys.readouterr().err
    assert end.value.code == 2 and "\x1b" not in error and "\\x1b[2Jboom" in error
    assert printable("plain, 数 \n") == "plain, 数 \\n"
    assert printable("a" * 4000) == "a" * 4000
    assert printable("a" * 10**6 + "b" * 2000) == "a" * 2000 + " … " + "b" * 2000


def test_headers_that_lie(tmp_path):
    """An array of 8 TB by its header, and a device in place of a file."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1), }"
    header += b" " * (117 - len(header)) + b"\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr("images.npy", head + header)
    with pytest.raises(UserError, match="is not an npz file of plain arrays, or is damaged"):
        load(f"npz:{tmp_path / 'x.npz'}", kind="images")
    np.savez(tmp_path / "y.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="is not an npz file of plain arrays"):
        load(f"npz:{tmp_path / 'y.npz'}", kind="images")
    with pytest.raises(UserError, match="/dev/zero is a device or a pipe: name a file"):
        load("text:/dev/zero", kind="text", seq_len=4)
