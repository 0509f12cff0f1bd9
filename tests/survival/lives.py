"""A life of any preset in its tiny form, to be ended and gone on with."""

from dataclasses import replace
from pathlib import Path

from jaxgen import reader, runner
from tests.experiments import tiny


def live(name: str, root: str, steps: int) -> None:
    """Start the run `root/run` of a preset and what it stands on, or go on with it from its last step."""
    run = Path(root) / "run"
    if run.exists():
        saved = reader.load_run(run)
        runner.resume(saved, saved.experiment)
        return
    experiment = replace(tiny.tiny(name), steps=steps, eval_every=steps)
    for beneath in experiment.stands_on.values():
        if not (run.parent / beneath.run).exists():
            tiny.train(beneath.run, run.parent)
    runner.start(experiment, name, run.parent, "run")
