"""What `jaxgen sample` and `jaxgen evaluate` say of an experiment that cannot."""

import errno
import os
import sys
from dataclasses import dataclass

import pytest

from jaxgen import reader
from jaxgen.cli.sample import _show, sample
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment
from jaxgen.families.language.sampling import Piece
from jaxgen.runs.run import Run
from jaxgen.training.task import Task


@dataclass(frozen=True)
class Silent(Experiment):
    kind = "images"

    def build(self, spec, trained=None):
        return Task(init=lambda key: None, step=lambda state, batch: None)


def test_a_run_that_draws_nothing_is_named(tmp_path, monkeypatch):
    saved = reader.SavedRun(Run(tmp_path), "silent", Silent(), None)
    monkeypatch.setattr(reader, "load_run", lambda folder: saved)
    with pytest.raises(UserError, match=r"is a run of silent, which draws no samples\.$"):
        sample([str(tmp_path)])


def test_a_place_that_takes_no_file_is_told_with_the_way_out(tmp_path, monkeypatch):
    saved = reader.SavedRun(Run(tmp_path), "vae-digits", find_preset("vae-digits").experiment, None)
    monkeypatch.setattr(reader, "load_run", lambda folder: saved)

    def refuse(*args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path / "samples"))

    monkeypatch.setattr(reader, "draw", refuse)
    with pytest.raises(
        UserError, match=r"samples: Read-only .*: name a folder for it by --out DIR\.$"
    ):
        sample([str(tmp_path)])
    with pytest.raises(OSError, match="Read-only"):  # the command names the place
        sample([str(tmp_path), "--out", "elsewhere"])


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_what_a_task_lacks_is_named(name):
    message = rf"^Silent has no `{name}`: give its Task one in `build`\.$"
    with pytest.raises(UserError, match=message):
        reader.own(Silent().build(None), name, Silent())


def test_a_stranger_s_text_does_not_steer_the_terminal(capsys, monkeypatch):
    """A pipe gets the text as it is, a terminal what can be printed; the rate goes elsewhere."""
    pieces = [Piece("a\x1b[2J", 0, 1.0), Piece("明\n\tz", 3, 2.0), Piece("", 2, 0.5)]
    _show(iter(pieces))
    out, err = capsys.readouterr()
    assert out == "a\x1b[2J明\n\tz\n"
    assert err == "5 tokens: the first 3, with compiling, in 2.0 s; then 4 tokens a second\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _show(iter(pieces))
    assert capsys.readouterr().out == "a\\x1b[2J明\n\tz\n"
