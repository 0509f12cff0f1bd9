"""Generative models from scratch in JAX: every formula a pure function that one can call and test.

What a program needs is here by name, and read from its own file when it is first asked for, so that
`import jaxgen` is quick and imports no jax:

    train, load                       from an experiment, or a run's directory, to a trained `Model`
    find_preset, list_experiments     the experiments with a name
    find_equation                     a formula of the documents, as printed and as it should be
    Experiment, one_player, two_players, Task, Weights, Aux, Mean    what a prototype is made of
    mean_over_batch, sum_over_batch, split_each                      what its loss may ask of a batch
    OptimizerConfig, make_optimizer, prepare_process, UserError, Interrupted, plain_errors
"""

# ruff: noqa: F401  (what is imported for type checkers alone)

import importlib
from typing import TYPE_CHECKING, Any

from jaxgen.interrupts import held as _held

if TYPE_CHECKING:  # for editors and type checkers; `_PLACES` says the same
    from jaxgen.api import Model, load, train
    from jaxgen.catalog import find as find_equation
    from jaxgen.devices.runtime import prepare_process
    from jaxgen.errors import Interrupted, UserError, plain_errors
    from jaxgen.experiments.registry import find_preset
    from jaxgen.experiments.registry import summaries as list_experiments
    from jaxgen.families.base import Experiment
    from jaxgen.training.batch import mean_over_batch, split_each, sum_over_batch
    from jaxgen.training.config import OptimizerConfig
    from jaxgen.training.gradient import Aux
    from jaxgen.training.metrics import Mean
    from jaxgen.training.optimizer import make_optimizer
    from jaxgen.training.state import Weights
    from jaxgen.training.task import Task, one_player, two_players

__version__ = "0.2.0"

_PLACES = {
    "Aux": "training.gradient.Aux",
    "Experiment": "families.base.Experiment",
    "Interrupted": "errors.Interrupted",
    "Mean": "training.metrics.Mean",
    "Model": "api.Model",
    "OptimizerConfig": "training.config.OptimizerConfig",
    "Task": "training.task.Task",
    "UserError": "errors.UserError",
    "Weights": "training.state.Weights",
    "find_equation": "catalog.find",
    "find_preset": "experiments.registry.find_preset",
    "list_experiments": "experiments.registry.summaries",
    "load": "api.load",
    "make_optimizer": "training.optimizer.make_optimizer",
    "mean_over_batch": "training.batch.mean_over_batch",
    "one_player": "training.task.one_player",
    "plain_errors": "errors.plain_errors",
    "prepare_process": "devices.runtime.prepare_process",
    "split_each": "training.batch.split_each",
    "sum_over_batch": "training.batch.sum_over_batch",
    "train": "api.train",
    "two_players": "training.task.two_players",
}  # the public names, each with where it is written, beneath `jaxgen`

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].rpartition(".")
    with _held():  # libraries make another error of what is raised while they are imported
        value = globals()[name] = getattr(importlib.import_module(f"jaxgen.{module}"), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
