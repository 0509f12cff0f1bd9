"""What each change to the GPT of Shakespeare brought: chain, tables, what the command refuses."""

import json
from dataclasses import fields
from itertools import pairwise

import pytest

from benchmarks import cli
from benchmarks.ledger import language
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset


def different(one, other):
    return {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}


def test_the_changes_lead_from_one_preset_to_the_other():
    """At the presets' steps; between the two nothing else is changed, and each change is one."""
    forms = language.stages(2000)
    for name, preset in (("classic", language.CLASSIC), ("optimiser", language.MODERN)):
        assert different(forms[name], find_preset(preset).experiment) == {"eval_every"}
    names = list(forms)
    for before, name in pairwise(names):
        parts = language.CHANGES[name][1]
        assert different(forms[before], forms[name]) == set(parts)
        for part, new in parts.items():
            found = different(getattr(forms[before], part), getattr(forms[name], part))
            assert found == set(new)
    assert language.stages(500)["optimiser"].optimizer.decay_steps == 500


def run(loss):
    return {"metrics": {"eval/loss": loss}, "parameters": 1234567}


QUALITY = {language.MODERN: {"10": run(1.5), "9": run(1.7)}, language.RECURRENT: {"0": run(1.55)}}


def test_the_tables():
    changes = {"norm": {"0": run(2.0)}, "classic": {"1": run(2.5), "0": run(2.4)}}
    changes |= {"positions": {"0": run(2.2)}, "rate": {"0": run(1.9)}}
    counted = {"bigram": 2.772588722239781}
    text = language.markdown({"steps": 70, "changes": changes, "counted": counted}, QUALITY)
    for line in (
        "| bigram | 2.773 | 4.000 |  |",
        "| `gru-shakespeare` | 1.550 | 2.236 | 1.550 |",
        "| `gpt-shakespeare` | 1.600 | 2.308 | 1.700, 1.500 |",
        "| `gpt-shakespeare-classic` | 1,234,567 | 2.450 |  | 2.400, 2.500 |",
        "| rotary positions for a learned table | 1,234,567 | 2.200 | 0.250 | 2.200 |",
        "| RMSNorm for LayerNorm, queries and keys normalised | 1,234,567 | 2.000 | 0.200 | 2.000 |",
        "| AdamW's peak rate 3e-3 for 1e-3 | 1,234,567 | 1.900 |  | 1.900 |",  # one is missing before
    ):
        assert f"\n{line}\n" in text
    assert "at 70 steps" in text and "squared ReLU" not in text


def test_the_command_keeps_what_lies_there_and_refuses_other_lengths(tmp_path, monkeypatch, capsys):
    """Each change is trained as its stage says; what was trained before stays."""
    trained = []

    def pretended(name, experiment):
        trained.append((name, experiment.seed, experiment.steps))
        return run(2.0 + experiment.seed)

    monkeypatch.setattr(language, "trained", pretended)
    monkeypatch.setattr(language, "counted_nats", lambda: {"bigram": 2.5})
    out = tmp_path / "x.json"
    line = ["language", "--steps", "40", "--output", str(out), "--changes"]
    cli.main([*line, "norm", "--seeds", "0", "3"])
    cli.main([*line, "rate"])
    assert trained == [("norm", 0, 40), ("norm", 3, 40), ("rate", 0, 40)]
    found = json.loads(out.read_text())
    assert set(found["changes"]) == {"norm", "rate"} and set(found["changes"]["norm"]) == {"0", "3"}
    assert out.with_suffix(".md").read_text() in capsys.readouterr().out
    for wrong, message in (
        (
            ["--steps", "50", "--output", str(out)],
            "is of runs of 40 steps, not of 50: give another",
        ),
        (["--changes", "norms"], "no change 'norms'; did you mean norm"),
        (["--steps", "3"], "--steps is 3: give 20 or more"),
        (["--output", str(tmp_path)], "is no JSON file"),
    ):
        with pytest.raises(UserError, match=message):
            cli.main(["language", *wrong])
