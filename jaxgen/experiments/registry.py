"""The experiments by name, found by their files: `vae_digits.py` is `vae-digits`.

A p between two digits is a point: `gpt3_1p3b.py` is `gpt3-1.3b`.
"""

import importlib
import pkgutil
import re

import jaxgen.experiments
from jaxgen.errors import UserError
from jaxgen.experiments.preset import Preset
from jaxgen.suggest import did_you_mean

_OWN = ("preset", "registry")


def experiment_names() -> list[str]:
    """Every experiment's name, sorted; whether its file is sound shows when it is asked for."""
    return sorted({_name(module) for module in _modules()})


def find_preset(name: str) -> Preset:
    """The experiment of that name.

    Raises UserError where there is none (with the nearest name), where two files have it, and where
    its file cannot be imported or holds no PRESET.
    """
    names = experiment_names()
    if name not in names:
        near = did_you_mean(name, names, listed_by="python train.py")
        raise UserError(f"There is no experiment {name!r}; {near}.")
    modules = [module for module in _modules() if _name(module) == name]
    files = [f"jaxgen/experiments/{module}.py" for module in modules]
    if len(files) > 1:
        raise UserError(f"{' and '.join(files)} are both named {name}: rename one of them.")
    try:
        module = importlib.import_module(f"jaxgen.experiments.{modules[0]}")
    except Exception as error:  # whatever a person's unfinished file raises
        said = " ".join(str(error).split()) or "no message"
        raise UserError(
            f"{files[0]} cannot be imported, {type(error).__name__}: {said[:300]}; mend it "
            "or move it away."
        ) from error
    preset = getattr(module, "PRESET", None)
    if not isinstance(preset, Preset):
        raise UserError(
            f"{files[0]} holds no PRESET: give it one (jaxgen/experiments/preset.py), or move it "
            "away."
        )
    return preset


def summaries() -> dict[str, str]:
    """One line for each name: what it is, or what is wrong with its file."""
    found = {}
    for name in experiment_names():
        try:
            found[name] = find_preset(name).summary
        except UserError as error:
            found[name] = f"BROKEN: {error}"
    return found


def _name(module: str) -> str:
    return re.sub(r"(?<=\d)p(?=\d)", ".", module).replace("_", "-")


def _modules() -> list[str]:
    modules = pkgutil.iter_modules(jaxgen.experiments.__path__)
    return [module.name for module in modules if module.name not in _OWN]
