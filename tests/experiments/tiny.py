"""Every preset, so small that it trains in seconds; as a script it trains one, to be killed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from jaxgen import reader, runner
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment
from jaxgen.runs.log import read_metrics
from jaxgen.runs.meter import is_time

GOLDEN = Path(__file__).with_name("golden.json")
STEPS = 6
WIDTH = 48  # or a little more, where that is no multiple of the number of heads


def tiny(name: str) -> Experiment:
    """The preset's experiment in one narrow layer, on a few short examples."""
    experiment = find_preset(name).experiment
    heads = getattr(experiment.model, "num_heads", 1)
    width = -(-WIDTH // heads) * heads
    changes = {
        "steps": STEPS, "batch_size": 4, "log_every": 1, "checkpoint_every": 2, "eval_every": STEPS,
        "eval_batches": 2,
        "model": experiment.model.scaled(width=width, depth=1),
    }  # fmt: skip
    if hasattr(experiment.model, "multiples"):  # a U-Net's blocks take long to compile
        narrow = experiment.model.scaled(width=8, depth=1)
        changes["model"] = replace(
            narrow, multiples=(1, 2), attention_levels=(1,), convolution="native"
        )
    if experiment.data.startswith("random-tokens:"):
        changes["data"] = "random-tokens:97"
    if hasattr(experiment, "judge_texts"):  # what a voice says is drawn, and differs by a rounding
        said = {"seconds": 0.01, "text": "a", "vowel_seconds": 0.02}
        changes |= {"seq_len": 80, "eval_batches": 1, "judge_texts": 0}
        changes |= {"sampling": replace(experiment.sampling, **said)}
    elif hasattr(experiment, "seq_len"):
        changes |= {"seq_len": 8, "sampling": replace(experiment.sampling, max_tokens=8)}
    if hasattr(experiment, "judge_draws"):
        changes |= {"judge_samples": 32, "judge_examples": 8, "judge_draws": 2}
        changes |= {"sampling": replace(experiment.sampling, count=4, num_steps=4)}
    if hasattr(experiment, "text_dropout"):  # images that stand on a text and on two runs
        changes |= {"judge_samples": 8, "sampling": replace(experiment.sampling, count=4)}
    return replace(experiment, **changes)


def train(name: str, root: Path) -> Path:
    """Start the tiny run, or go on with it; returns its folder."""
    if (root / name).exists():
        saved = reader.load_run(root / name)
        return runner.resume(saved, saved.experiment).folder
    for beneath in tiny(name).stands_on.values():
        if not (root / beneath.run).exists():
            train(beneath.run, root)
    return runner.start(tiny(name), name, root, name).folder


def curve(folder: Path) -> list[dict[str, float]]:
    """The metrics of each step, but for the time, and the rates that follow from the config."""
    return [
        {k: v for k, v in line.items() if not is_time(k) and not k.endswith("learning_rate")}
        for line in read_metrics(folder / "metrics.jsonl")
    ]


def golden_key(name: str) -> str:
    """The Python reference is another text in each version of Python."""
    on_board = find_preset(name).experiment.data == "python-reference"
    return f"{name}, Python {sys.version_info.major}.{sys.version_info.minor}" if on_board else name


def write_golden(folder: Path) -> None:
    """Keep a run's curve as the golden one of its preset."""
    name = folder.name
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    lines = [{k: float(f"{v:.7g}") for k, v in line.items()} for line in curve(folder)]
    known[golden_key(name)] = lines
    GOLDEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    # `python tests/experiments/tiny.py NAME FOLDER [golden]`
    place = train(sys.argv[1], Path(sys.argv[2]))
    if sys.argv[3:] == ["golden"]:
        write_golden(place)
