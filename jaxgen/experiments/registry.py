"""The experiments by name, found by their files: `vae_digits.py` is `vae-digits`."""

import difflib
import importlib
import inspect
import pkgutil

import jaxgen.experiments
from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment


def experiment_names() -> list[str]:
    """Every experiment's name, sorted."""
    modules = (module.name for module in pkgutil.iter_modules(jaxgen.experiments.__path__))
    return sorted(name.replace("_", "-") for name in modules if name not in ("base", "registry"))


def find_experiment(name: str) -> type[Experiment]:
    """The experiment's class; a UserError suggests the nearest name where there is none."""
    names = experiment_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? Known" if near else "known"
        raise UserError(f"There is no experiment {name!r}; {hint} are {', '.join(names)}.")
    module = importlib.import_module(f"jaxgen.experiments.{name.replace('-', '_')}")
    (found,) = (
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Experiment) and value.__module__ == module.__name__
    )
    return found


def summary(name: str) -> str:
    """The first line of the experiment's docstring."""
    return inspect.getdoc(find_experiment(name)).splitlines()[0]
