"""What an experiment hands to the engine: functions, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxgen.training.state import State
from jaxgen.training.step import Step


@dataclass(frozen=True)
class Task:
    """A model with its loss and its judges, as the functions that train and try it."""

    init: Callable[[Any], State]
    """key -> state before the first step."""
    step: Step
    """(state, batch) -> (state, metrics), pure; with `axis` the mapped axis that splits the batch."""
    evaluate: Callable[[Any, Any], dict[str, float]]
    """(params, held-out data set) -> metrics; always the same for the same parameters."""
    sample: Callable[[Any, Any, Path], Path]
    """(params, key, path without suffix) -> the file that was written."""
    model_axes: Mapping[str, int] = field(default_factory=dict)
    """Parameter path pattern -> the axis that a mesh's `model` may split; nothing: it splits nothing."""
    best: str | None = None
    """The held-out metric whose lowest value marks the best checkpoint."""
