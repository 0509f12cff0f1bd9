"""Single bits flipped in the JSON of a run: noticed, or of no effect."""

import re
import shutil

import numpy as np
import pytest

from jaxgen import reader
from jaxgen.cli.train import train
from jaxgen.data.identity import content
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.runs.fields import to_json
from jaxgen.runs.run import create_run

pytestmark = pytest.mark.once

FLIPS = 2000


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The folder of a run that has just begun."""
    experiment = find_preset("vae-digits").experiment
    data = experiment.load()
    spec = data.spec.to_json() | {"content": content(data)}
    root = tmp_path_factory.mktemp("flips")
    return create_run(root, "run", "vae-digits", to_json(experiment), spec).folder


@pytest.mark.parametrize("name", ["config.json", "data.json"])
def test_a_flipped_bit_is_noticed_or_of_no_effect(honest, tmp_path, name, table):
    run = shutil.copytree(honest, tmp_path / "run")
    path, sound = run / name, reader.load_run(honest)
    data, rng = path.read_bytes(), np.random.default_rng(3)
    noticed, harmless = 0, set()
    for position in rng.integers(0, 8 * len(data), FLIPS).tolist():
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = reader.load_run(run)
        except UserError:
            noticed += 1
            continue
        assert (found.name, found.experiment, found.spec) == (
            sound.name, sound.experiment, sound.spec,
        ), position  # fmt: skip
        harmless.add(_line_of(data, position // 8))
    table.setdefault(f"flips in {name}", []).extend([True] * FLIPS)
    print(f"{noticed} noticed; of no effect were flips in {sorted(harmless)}")
    assert noticed > 0.7 * FLIPS


def _line_of(data: bytes, position: int) -> str:
    """The field, or the white space, in which a byte lies."""
    if data[position : position + 1].isspace():
        return "white space"
    line = data[: data.find(b"\n", position)].rsplit(b"\n", 1)[-1]
    return line.split(b'"')[1].decode() if b'"' in line else line.decode()


def test_a_field_edited_by_hand_is_compared_with_the_step_s(whole, toy_is_known, tmp_path):
    """Without its seal config.json is what somebody says; the step knows how it was trained."""
    run = shutil.copytree(whole.folder, tmp_path / "run")
    text = (run / "config.json").read_text()
    unsealed = re.sub(r' *"sha256": .*\n', "", text)
    for old, new, refused in (
        ('"seed": 0', '"seed": 4', "was saved with seed 0, and config.json has 4: bring that"),
        ('"batch_size": 8', '"batch_size": 9', "was saved with batch_size 8, and config.json has 9"),
        ('"steps": 24,', '"steps": 25,', None), ('"log_every": 1', '"log_every": 2', None),
    ):  # fmt: skip
        assert old in unsealed
        (run / "config.json").write_text(unsealed.replace(old, new, 1))
        if refused is None:
            reader.judge(reader.load_run(run))
            continue
        with pytest.raises(UserError, match=refused):
            reader.judge(reader.load_run(run))
        with pytest.raises(UserError, match=refused):
            train(["--resume", "run", "--runs", str(tmp_path), "--steps", "25"])
