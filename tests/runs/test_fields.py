"""An experiment's fields to JSON and back: of the preset's own classes, and named where they are not."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jaxgen.errors import UserError
from jaxgen.experiments.registry import experiment_names, find_preset
from jaxgen.families.base import FromRun
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.runs.fields import differences, from_json, to_json

SOURCE = Path("config.json")


@dataclass(frozen=True)
class Part:
    """A base with nothing of its own."""


@dataclass(frozen=True)
class Wide(Part):
    sizes: tuple[int, ...] = (3, 4)
    rate: float = 0.5


@dataclass(frozen=True)
class Deep(Part):
    layers: int = 2


@dataclass(frozen=True)
class Whole:
    steps: int = 1
    note: str | None = None
    part: Part = field(default_factory=Wide)


@pytest.mark.parametrize("name", experiment_names())
def test_every_preset_comes_back_from_json(name):
    experiment = find_preset(name).experiment
    again = from_json(experiment, json.loads(json.dumps(to_json(experiment))), SOURCE)
    assert again == experiment and type(again.model) is type(experiment.model)


def test_a_field_typed_with_a_base_is_of_the_class_that_the_preset_holds():
    """Not of the hint's, nor of the family's default."""
    for default, values, expected in (
        (Whole(), {"part": {"sizes": [5]}}, Whole(part=Wide((5,), 0.5))),
        (Whole(part=Deep(7)), {"part": {}}, Whole(part=Deep(7))),
        (Whole(part=Deep(7)), {"part": {"layers": 9}, "note": "x"}, Whole(note="x", part=Deep(9))),
    ):
        found = from_json(default, values, SOURCE)
        assert found == expected and type(found.part) is type(expected.part)
    vae, gpt = (find_preset(name).experiment for name in ("vae-digits", "gpt-python"))
    found = from_json(vae, {"model": {"latent_size": 3}}, SOURCE)
    assert found == replace(vae, model=MLPVAEConfig((512, 256), 3))
    found = from_json(gpt, {"model": {"num_layers": 1}}, SOURCE)
    assert type(found.model) is GPTConfig and found.model == replace(gpt.model, num_layers=1)


@pytest.mark.parametrize(
    ("default", "values", "message"),
    [
        (
            Whole(),
            {"part": {"layers": 9}},
            "has a field part.layers, which this experiment does not",
        ),
        (Whole(part=Deep()), {"part": {"sizes": [1]}}, "has a field part.sizes, which this"),
        (Whole(), {"part": {"sizes": [1.5]}}, r"has \(1.5,\) for part.sizes, which is not a"),
        (Whole(), {"part": {"rate": "x"}}, "has 'x' for part.rate, which is not a"),
        (Whole(), {"part": 3}, "has 3 for part, which is not a"),
        (Whole(), {"part": None}, "has None for part, which is not a"),
        (Whole(), {"steps": True}, "has True for steps, which is not a"),
        (Whole(), {"note": 3}, "has 3 for note, which is not a"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(default, values, message):
    with pytest.raises(UserError, match=f"^config.json {message}"):
        from_json(default, values, SOURCE)


def test_a_run_to_stand_on_comes_back_with_its_digest():
    @dataclass(frozen=True)
    class Standing:
        teacher: FromRun = field(default_factory=lambda: FromRun("somebody"))

    pinned = Standing(FromRun("vae", "best", "ab12"))
    values = json.loads(json.dumps(to_json(pinned)))
    assert values == {"teacher": {"run": "vae", "checkpoint": "best", "digest": "ab12"}}
    assert from_json(Standing(), values, SOURCE) == pinned


def test_differences_are_named_by_path():
    first = Whole(part=Wide((3,), 0.5))
    assert differences(first, Whole(steps=2, part=Wide((3,), 0.25))) == {
        "steps": (1, 2), "part.rate": (0.5, 0.25),
    }  # fmt: skip
    assert differences(first, first) == {}
