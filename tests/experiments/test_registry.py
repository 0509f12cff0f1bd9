"""The experiments by name: found by their files, sound each for itself; what a preset tells."""

import importlib
import sys
from pathlib import Path

import pytest

import jaxgen.experiments
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.experiments.preset import Expected, Preset
from jaxgen.experiments.registry import experiment_names, find_preset, summaries
from jaxgen.families.vae.family import VAE

SOUND = """
from jaxgen.experiments.preset import Preset
from jaxgen.families.vae.family import VAE
PRESET = Preset(summary="One of a stranger's.", papers=("Nobody 2026",), experiment=VAE(steps=7))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A second folder of experiments; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(
        jaxgen.experiments, "__path__", [*jaxgen.experiments.__path__, str(tmp_path)]
    )
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("jaxgen.experiments."):
            del sys.modules[name]
            vars(jaxgen.experiments).pop(name.rpartition(".")[2], None)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


def test_a_file_is_an_experiment(folder):
    write(folder, my_own=SOUND, wide_1p5=SOUND, up2date=SOUND)
    assert {"my-own", "wide-1.5", "up2date", "vae-digits", "gpt3-1.3b"} <= set(experiment_names())
    assert find_preset("my-own").experiment == VAE(steps=7)
    assert summaries()["wide-1.5"] == "One of a stranger's."
    assert experiment_names() == sorted(experiment_names())


BROKEN = {
    "empty": ("", "jaxgen/experiments/empty.py holds no PRESET: give it one"),
    "of_another_kind": (
        "PRESET = {'summary': 'x'}", "jaxgen/experiments/of_another_kind.py holds no PRESET: give it",
    ),
    "raises": (
        "raise RuntimeError('the disk\\nwas eaten')",
        "jaxgen/experiments/raises.py cannot be imported, RuntimeError: the disk was eaten; mend it or",
    ),
    "misspelt": ("def f(:\n", "jaxgen/experiments/misspelt.py cannot be imported, SyntaxError: "),
    "needs_more": (
        "import nowhere_to_be_found",
        "needs_more.py cannot be imported, ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "wrong_field": (
        SOUND.replace("steps=7", "stepz=7"), "wrong_field.py cannot be imported, TypeError: ",
    ),
    "wrong_value": (
        SOUND.replace("steps=7", "steps=-7"),
        "wrong_value.py cannot be imported, UserError: --steps is -7: give 1 or more.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("module", BROKEN)
def test_a_broken_file_breaks_its_own_experiment_alone(folder, capsys, module):
    text, message = BROKEN[module]
    write(folder, **{module: text}, fine=SOUND)
    name = module.replace("_", "-")
    for _ in range(2):  # the second time, too
        with pytest.raises(UserError) as error:
            find_preset(name)
        assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"mend it|give it one"):
        train([name, "--runs", str(folder / "runs")])
    assert not (folder / "runs").exists()
    train([])
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line]
    listed = {line[0]: line[1] for line in lines}
    assert listed[name].startswith(f"BROKEN: {str(error.value)[:40]}")
    assert listed["fine"] == "One of a stranger's."
    assert not listed["vae-digits"].startswith("BROKEN")
    assert find_preset("vae-digits").experiment.steps == 3000


def test_two_files_of_one_name_are_both_named(folder):
    write(folder, **{"twin_one": SOUND, "twin-one": SOUND}, fine=SOUND)
    assert experiment_names().count("twin-one") == 1
    with pytest.raises(UserError) as error:
        find_preset("twin-one")
    said = str(error.value)
    assert "jaxgen/experiments/twin_one.py" in said and "jaxgen/experiments/twin-one.py" in said
    assert said.endswith("are both named twin-one: rename one of them.")
    assert summaries()["twin-one"].startswith("BROKEN: ")
    assert find_preset("fine").summary == "One of a stranger's."


@pytest.mark.parametrize(
    ("name", "near"),
    [("vae-digit", "vae-digits"), ("vae_digits", "vae-digits"), ("gpt3-1p3b", "gpt3-1.3b")],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_who_lists_all(name, near):
    with pytest.raises(UserError) as error:
        find_preset(name)
    said = str(error.value)
    assert said.startswith(f"There is no experiment {name!r}; did you mean {near}? (or ")
    assert said.endswith(f"; python train.py lists all {len(experiment_names())}).")
    with pytest.raises(UserError, match="no experiment 'preset'; "):
        find_preset("preset")  # a module of the registry's own


@pytest.mark.parametrize("name", experiment_names())
def test_every_preset_tells_its_papers_result_and_time(name):
    """What is promised has a metric, a source and minutes, without which it is for an accelerator."""
    preset = find_preset(name)
    assert preset.summary.endswith(".") and "\n" not in preset.summary
    assert preset.papers and all(preset.papers)
    promised, runs_here = bool(preset.expected), preset.minutes is not None
    assert promised == bool(preset.source) and (runs_here or not promised)
    for metric, expected in preset.expected.items():
        assert metric.startswith("eval/") and 0 < expected.tolerance < expected.value
    text = preset.describe(name)
    assert text.startswith(preset.summary) and f"\n\nCommand: python train.py {name}\n\n" in text
    assert ("Expected: eval/" in text) == promised
    assert text.endswith("on 2 cores." if runs_here else "Time: for an accelerator.")


def test_a_preset_in_words():
    preset = Preset(
        summary="A model.",
        papers=("A 1999", "B 2001 (sizes)"),
        experiment=VAE(),
        expected={"eval/loss": Expected(17.25, 0.3), "eval/hits": Expected(0.5, 0.25)},
        minutes=0.33,
        source="measured here",
        notes="It is small.",
    )
    assert preset.describe("a-model") == (
        "A model.\n\nPapers: A 1999; B 2001 (sizes).\n\nIt is small.\n\n"
        "Command: python train.py a-model\n\n"
        "Expected: eval/loss 17.25 ± 0.3, eval/hits 0.5 ± 0.25 (measured here).\n\n"
        "Time: about 20 s on 2 cores."
    )
    assert Preset("x.", ("y",), VAE(), minutes=4.5).time == "about 4.5 min on 2 cores"
