"""What `jaxgen sample` and `jaxgen evaluate` say of an experiment that cannot."""

from dataclasses import dataclass

import pytest

from jaxgen import runner
from jaxgen.cli.sample import sample
from jaxgen.errors import UserError
from jaxgen.families.base import Experiment
from jaxgen.runs.run import Run
from jaxgen.training.task import Task


@dataclass(frozen=True)
class Silent(Experiment):
    kind = "images"

    def build(self, spec, trained=None):
        return Task(init=lambda key: None, step=lambda state, batch: None)


def test_a_run_that_draws_nothing_is_named(tmp_path, monkeypatch):
    saved = runner.SavedRun(Run(tmp_path), "silent", Silent(), None)
    monkeypatch.setattr(runner, "load_run", lambda folder: saved)
    with pytest.raises(UserError, match=r"is a run of silent, which draws no samples\.$"):
        sample([str(tmp_path)])


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_what_a_task_lacks_is_named(name):
    message = rf"^Silent has no `{name}`: give its Task one in `build`\.$"
    with pytest.raises(UserError, match=message):
        runner.own(Silent().build(None), name, Silent())
