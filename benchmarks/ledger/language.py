"""`python -m benchmarks language`: counting, GRU and GPT side by side, and what each change brought.

The changes lead from `gpt-shakespeare-classic` to `gpt-shakespeare`, one behind the other, on the same
tokens. Each is trained once for each seed and judged once, on the held-out tenth; nothing is chosen
by it.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.ledger.quality import QUALITY, reach
from benchmarks.output import RESULTS, check_output
from jaxgen.cli.parsing import parse
from jaxgen.errors import UserError, check
from jaxgen.experiments.registry import find_preset
from jaxgen.families.language.family import Language
from jaxgen.metrics.ngrams import ngram_nats
from jaxgen.suggest import did_you_mean

SCHEMA = 1
CLASSIC, MODERN, RECURRENT = "gpt-shakespeare-classic", "gpt-shakespeare", "gru-shakespeare"
COUNTED = {1: "unigram", 2: "bigram", 4: "4-gram", 6: "6-gram"}

CHANGES: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "classic": ("`gpt-shakespeare-classic`", {}),
    "positions": ("rotary positions for a learned table", {"model": {"positions": "rotary"}}),
    "norm": (
        "RMSNorm for LayerNorm, queries and keys normalised",
        {"model": {"norm": "rms", "query_key_norm": True}},
    ),
    "feed-forward": ("squared ReLU for GELU", {"model": {"activation": "squared-relu"}}),
    "outputs": (
        "a head of its own; outputs of blocks and head begin with zeros",
        {"model": {"tied_head": False, "init": "zero-outputs", "drop_weights": False}},
    ),
    "rate": ("AdamW's peak rate 3e-3 for 1e-3", {"optimizer": {"learning_rate": 3e-3}}),
    "schedule": ("a line to zero for a cosine to a tenth", {"optimizer": {"schedule": "linear"}}),
    "optimiser": ("Muon for AdamW: `gpt-shakespeare`", {"optimizer": {"name": "muon"}}),
}
"""Name to what it is and the fields that it changes, of what stands before it."""


@dataclass(frozen=True)
class Options:
    """Train what stands between the two GPTs of Shakespeare; set it, the GRU and counting in tables."""

    changes: tuple[str, ...] = ()
    """Which are trained; all where none is given. The rest stays as it lies in the output."""
    steps: int = 500
    """Of each run: its schedule ends there, behind a warm-up of a twentieth."""
    seeds: tuple[int, ...] = (0,)
    """One run each."""
    output: Path = RESULTS / "language.json"
    """The tables come beside it, as Markdown."""

    def __post_init__(self):
        check(self, "steps", lambda x: x >= 20, "20 or more")
        for name in self.changes:
            if name not in CHANGES:
                raise UserError(
                    f"There is no change {name!r}; {did_you_mean(name, list(CHANGES))}."
                )


def language(args: list[str]) -> None:
    """The command: `language [--changes NAME ...] [--steps N] [--seeds 0 1 2]`."""
    options = parse(Options, args, "benchmarks language")
    check_output(options.output)
    values = _known(options)
    values["counted"] = counted_nats()
    forms = stages(options.steps)
    for name in options.changes or tuple(CHANGES):
        for seed in options.seeds:
            print(f"training {name}, seed {seed} ...", file=sys.stderr, flush=True)
            found = trained(name, replace(forms[name], seed=seed))
            values["changes"].setdefault(name, {})[str(seed)] = found
            _write(options.output, values)
    _write(options.output, values)
    print(options.output.with_suffix(".md").read_text(encoding="utf-8"))


def stages(steps: int) -> dict[str, Language]:
    """Each change with all before it, at so many steps."""
    experiment: Any = find_preset(CLASSIC).experiment
    ends = replace(experiment.optimizer, warmup_steps=0.05, decay_steps=1.0)
    experiment = replace(experiment, steps=steps, optimizer=ends, eval_every=steps)
    found = {}
    for name, (_, parts) in CHANGES.items():
        changed = {
            field: replace(getattr(experiment, field), **new) for field, new in parts.items()
        }
        experiment = found[name] = replace(experiment, **changed)
    return found


def trained(name: str, experiment: Language) -> dict[str, Any]:
    """What a run reaches, and how many parameters it has."""
    parameters = experiment.costs(experiment.load().spec).parameters
    return reach(name, experiment) | {"parameters": parameters}


def counted_nats() -> dict[str, float]:
    """Nats a character of the held-out tenth by counts of the rest, for each order."""
    data = find_preset(CLASSIC).experiment.load()
    train, held_out = (np.asarray(part.arrays["tokens"]) for part in (data.train, data.test))
    size = data.spec.vocab_size
    # The first token is given to the models, and so it is here.
    return {
        name: float(ngram_nats(train, held_out, order, size)[1:].mean())
        for order, name in COUNTED.items()
    }


def _known(options: Options) -> dict[str, Any]:
    """What the output holds; a UserError where it is of other lengths."""
    if not options.output.exists():
        return {"schema": SCHEMA, "steps": options.steps, "changes": {}}
    values = json.loads(options.output.read_text(encoding="utf-8"))
    if values["steps"] != options.steps:
        raise UserError(
            f"{options.output} is of runs of {values['steps']} steps, not of {options.steps}: give "
            "another --output."
        )
    return values


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    quality = json.loads(QUALITY.read_text(encoding="utf-8"))["results"]
    path.with_suffix(".md").write_text(markdown(values, quality), encoding="utf-8")


def markdown(values: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """The tables; `quality` are the results of presets that were trained to their end."""
    lines = [
        "# Characters of Shakespeare",
        "",
        "Nats a character of the last tenth, 111,540 characters, each predicted once. Made by",
        "`python -m benchmarks language`; the presets' figures are quality.json's, at 2,000 steps of",
        "768 tokens. Counting sees all of the training text, interpolated by Witten and Bell's rule; a",
        "GPT reads the tokens before in its window of 64, the GRU carries its state through the text.",
        "",
        "| model | nats | bits | seeds |",
        "| --- | --: | --: | --- |",
    ]
    lines += [
        _line(name, f"{nats:.3f}", f"{nats / np.log(2):.3f}", "")
        for name, nats in values["counted"].items()
    ]
    for name in (RECURRENT, CLASSIC, MODERN):
        seeds = _losses(quality.get(name, {}))
        if seeds:
            nats = mean(seeds)
            lines.append(
                _line(f"`{name}`", f"{nats:.3f}", f"{nats / np.log(2):.3f}", _listed(seeds))
            )
    lines += [
        "",
        "## What each change brought",
        "",
        f"From `{CLASSIC}` to `{MODERN}`, each with all above it, at {values['steps']} steps, where",
        "its schedule ends. Judged on the same tenth, once each; nothing was chosen by it. What a",
        "change brings depends on those above it, and seeds differ, as the first table shows.",
        "",
        "| change | parameters | nats | less by | seeds |",
        "| --- | --: | --: | --: | --- |",
    ]
    before = None
    for name, (what, _) in CHANGES.items():
        runs = values["changes"].get(name)
        if runs is None:
            before = None
            continue
        seeds = _losses(runs)
        nats = mean(seeds)
        gain = "" if before is None else f"{before - nats:.3f}"
        parameters = next(iter(runs.values()))["parameters"]
        lines.append(_line(what, f"{parameters:,}", f"{nats:.3f}", gain, _listed(seeds)))
        before = nats
    return "\n".join(lines) + "\n"


def _losses(runs: Mapping[str, Any]) -> list[float]:
    return [runs[seed]["metrics"]["eval/loss"] for seed in sorted(runs, key=int)]


def _listed(seeds: list[float]) -> str:
    return ", ".join(f"{nats:.3f}" for nats in seeds)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
