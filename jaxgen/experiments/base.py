"""What all experiments share: the fields of a run, and what each must provide. No jax here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxgen.errors import check
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Experiment(ABC):
    """Data, model, objective and engine, wired; frozen, and saved as a run's config.json."""

    kind: ClassVar[Literal["images", "text"]]
    """Which data it takes."""
    seed: int = 0
    """Chooses initial parameters, noise and the order of the data."""
    steps: int = 1000
    """Steps to train for."""
    batch_size: int = 64
    """B, examples in a step."""
    data: str = "digits"
    """Where the data comes from: digits, python-reference, idx:DIR, npz:FILE, text:FILE, tfds:NAME."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    log_every: int = 50
    """Steps between two lines of metrics.jsonl; the last step is always logged."""
    checkpoint_every: int = 500
    """Steps between two checkpoints; the last step is always saved."""
    eval_every: int = 500
    """Steps between two looks at the held-out data with a sample; the last step always has one."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay."""
    steps_per_dispatch: int = 50
    """Steps that the device runs for one call from Python."""

    def __post_init__(self):
        check(self, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")
        check(self, "steps", lambda x: x < 2**31 - 1, "less than 2^31 - 1")
        counts = ("steps", "batch_size", "log_every", "checkpoint_every", "eval_every")
        for name in (*counts, "keep_checkpoints", "steps_per_dispatch"):
            check(self, name, lambda x: x >= 1, "1 or more")

    def load(self) -> Data:
        """Read the data; a UserError says what is wrong with it."""
        from jaxgen.data import load

        return load(self.data, kind=self.kind)

    @abstractmethod
    def build(self, spec: Any) -> Task:
        """The functions that train and try the model for data of this spec."""

    @abstractmethod
    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row."""
