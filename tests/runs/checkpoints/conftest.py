"""Steps that were saved, to be read or damaged."""

import shutil

import pytest

from jaxgen.runs.checkpoint import Checkpoints

from .states import CONFIG, make_state


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the steps 4 and 8."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    with Checkpoints(folder, config=CONFIG) as checkpoints:
        for step in (4, 8):
            checkpoints.save(make_state(step), {"loss": 1 / step})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(saved, tmp_path / "checkpoints")
