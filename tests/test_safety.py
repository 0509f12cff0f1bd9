"""A run that comes from a stranger: no code, no way out of its folder, one sentence of refusal."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from jaxgen import cli
from jaxgen.data import load
from jaxgen.errors import UserError, printable
from jaxgen.training.manifest import Manifest, own_digest

TINY = [
    "vae-digits", "--model.hidden-sizes", "7", "--model.latent-size", "3", "--sampling.count", "4",
    "--steps", "2", "--batch-size", "8", "--checkpoint-every", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    root = tmp_path_factory.mktemp("honest")
    cli.train([*TINY, "--runs", str(root), "--name", "run"])
    return root / "run"


@pytest.fixture
def run(honest, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(honest, tmp_path / "runs" / "run")


COMMANDS = [cli.sample, cli.evaluate]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["config.json", "data.json", "samples", "checkpoints"])
def test_a_link_in_a_run_is_refused(run, tmp_path, command, name):
    outside = tmp_path / "outside"
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    with pytest.raises(UserError, match=f"{name} is a symbolic link"):
        command([str(run)])


def test_a_run_s_own_folder_may_be_a_link(run, tmp_path, capsys):
    (tmp_path / "shortcut").symlink_to(run)
    cli.evaluate([str(tmp_path / "shortcut"), "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["step"] == 2


@pytest.mark.parametrize("what", ["step", "file", "folder", "unknown file"])
def test_a_link_or_a_stranger_s_file_in_a_step_spoils_the_step(run, tmp_path, capsys, what):
    """The step before it serves, and a line on stderr says why."""
    step = run / "checkpoints" / "2"
    if what == "unknown file":
        (step / "state" / "more").write_text("x")
    else:
        victim = {"step": step, "file": step / "manifest.json", "folder": step / "state"}[what]
        victim.rename(tmp_path / "outside")
        victim.symlink_to(tmp_path / "outside")
    cli.evaluate([str(run), "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["step"] == 1
    (line,) = captured.err.splitlines()
    assert ("not in manifest.json" if what == "unknown file" else "symbolic link") in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields["leaves"]["step"].update(shape=[10**12]), "step as int32"),
        (lambda fields: fields["files"].update({"../../config.json": "0" * 64}), "outside of the step"),
        (lambda fields: fields["files"].update({"/etc/hostname": "0" * 64}), "outside of the step"),
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
        cli.evaluate([str(run)])


@pytest.mark.parametrize("name", ["config.json", "data.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", "null", "\x00"])
def test_json_that_is_none(run, name, text):
    (run / name).write_text(text)
    with pytest.raises(UserError, match=name):
        cli.evaluate([str(run)])


@pytest.mark.parametrize("value", [float("nan"), "lots", -1.0, [1], None, {"a": 1}])
def test_fields_of_the_wrong_kind(run, value):
    config = json.loads((run / "config.json").read_text())
    config["fields"]["optimizer"]["learning_rate"] = value
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"learning.rate"):
        cli.evaluate([str(run)])


def test_a_newer_format_is_named(run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(UserError, match="has format 99, and this jaxgen reads 1: use the version"):
        cli.sample([str(run)])


def test_sampling_reads_no_data(run):
    """The data that a stranger's config names is not touched; judging reads it and says which."""
    config = json.loads((run / "config.json").read_text())
    config["fields"]["data"] = "idx:/nonexistent"
    (run / "config.json").write_text(json.dumps(config))
    cli.sample([str(run)])
    with pytest.raises(UserError, match="/nonexistent"):
        cli.evaluate([str(run)])


def test_no_file_s_content_steers_the_terminal(run, capsys):
    config = json.loads((run / "config.json").read_text())
    config["fields"]["\x1b[2Jboom"] = 1
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit) as end:
        cli.run_command(cli.evaluate, [str(run)])
    error = capsys.readouterr().err
    assert end.value.code == 2 and "\x1b" not in error and "\\x1b[2Jboom" in error
    assert printable("plain, 数 \n") == "plain, 数 \\n"


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
