"""An experiment with its data for a command of this room, changed as its flags ask."""

from dataclasses import replace
from typing import Any

from jaxgen.data import Data
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment

SHORT_NAMES = {"gpt": "gpt-python", "vae": "vae-digits", "gan": "gan-digits"}
"""Three experiments have a short name here."""


def full_name(name: str) -> str:
    """The experiment's own name."""
    return SHORT_NAMES.get(name, name)


def find_experiment(name: str) -> Experiment:
    """The experiment of a name or short name, as its preset has it; a UserError where there is none."""
    return find_preset(full_name(name)).experiment


def find(
    name: str,
    *,
    batch_size: int | None = None,
    accumulate: int | None = None,
    attention: str | None = None,
    remat: bool | None = None,
) -> tuple[Experiment, Data]:
    """An experiment with its data, changed as asked; None leaves what it has.

    Raises UserError where there is none of that name, or its model has no such field.
    """
    experiment = find_experiment(name)
    own = _given(batch_size=batch_size, accumulate=accumulate)
    of_model = _given(attention=attention, remat=remat)
    model: Any = getattr(experiment, "model", None)
    for field, value in of_model.items():
        if not hasattr(model, field):
            flag = f"--{field} {value}" if field == "attention" else f"--{field}"
            raise UserError(f"{flag}: the model of {name} has no such field, leave it out.")
    if of_model:
        own["model"] = replace(model, **of_model)
    experiment = replace(experiment, **own)
    return experiment, experiment.load()


def _given(**changes: Any) -> dict[str, Any]:
    return {field: value for field, value in changes.items() if value is not None}
