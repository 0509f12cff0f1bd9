"""What all experiments share: the fields of a run, and what each must provide. No jax here."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from jaxgen.errors import UserError, check
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data, Dataset, Order
    from jaxgen.training.state import Weights
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class FromRun:
    """A run that an experiment stands on: its weights are restored and handed to `build`."""

    run: str
    """The name of the run, in the same directory of runs; empty: none."""
    checkpoint: str = "latest"
    """Which of its checkpoints: latest, best or a step."""
    digest: str = ""
    """Of that checkpoint; set when the run starts, so that no other one is taken afterwards."""


def seconds_of(time: str) -> float | None:
    """The seconds of a time such as 90s, 10m or 2h; None where the text is none."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smh])", time)
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else None


def names_a_checkpoint(text: str) -> bool:
    """Whether the text is latest, best or a step."""
    return text in ("latest", "best") or (text.isdecimal() and text.isascii() and len(text) < 11)


class Trained(NamedTuple):
    """What a FromRun leads to: a finished run's task, its weights and the spec of its data."""

    task: Task
    weights: Weights
    spec: Any


FREE = ("steps", "log_every", "eval_every", "checkpoint_every", "keep_checkpoints", "on_full_disk")
"""What may be another when a run is gone on with: none of it changes what a step computes."""


@dataclass(frozen=True)
class Experiment(ABC):
    """Data, model, objective and engine, wired; frozen, and saved as a run's config.json.

    A family is a subclass with the fields of its learning problem; a preset is an instance of one.
    """

    kind: ClassVar[str]
    """Which data it takes: a folder of `jaxgen.data`."""
    seed: int = 0
    """Chooses initial parameters, noise and the order of the data."""
    steps: int = 1000
    """Steps to train for."""
    batch_size: int = 64
    """B, examples in a step."""
    data: str = "digits"
    """Where the data comes from: images are arrayrecord:PATTERN, digits, fashion-mnist, folder:DIR,
    idx:DIR, npz:FILE, parquet:FILE#COLUMN, tfds:NAME; text is python-reference, shakespeare,
    text:FILE, tokens:FILE, parquet:FILE#COLUMN, tfds:NAME, random-tokens:SIZE, hidden-markov:SIZE;
    points are ring, grid; sound is vowels, effects, speech, wav:DIR, tfds:NAME; captions are
    captioned-digits, shapes, shapes-all."""
    log_every: int = 50
    """Steps between two lines of metrics.jsonl; the last step is always logged."""
    checkpoint_every: int | str = 500
    """Steps between two checkpoints, or the time, as 90s, 10m or 2h; the last step is always saved."""
    eval_every: int = 500
    """Steps between two looks at the held-out data with a sample; the last step always has one."""
    eval_batches: int | None = None
    """Batches of held-out examples (windows of a text) that a look judges, always the same, at equal
    distances. None: all, up to 2^17 tokens or 2^23 pixels."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay; the one with the best held-out metric stays too."""
    on_full_disk: Literal["stop", "continue"] = "stop"
    """When a checkpoint finds no room: stop, or go on without it."""
    steps_per_dispatch: int = 50
    """Steps that the device runs for one call from Python."""
    accumulate: int = 1
    """Pieces that a batch is taken in, one after the other: less memory, the same step."""
    ema_decay: float | None = None
    """Decay of a moving average of the parameters, which is then what is judged and sampled from."""
    skip_nonfinite: int = 0
    """Steps in a row that may be skipped for a loss or gradient that is not finite; then it stops."""

    def __post_init__(self):
        check(self, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")
        check(self, "steps", lambda x: x < 2**31 - 1, "less than 2^31 - 1")
        counts = ("steps", "batch_size", "log_every", "eval_every")
        check(
            self, "checkpoint_every", lambda x: x >= 1 if isinstance(x, int) else seconds_of(x),
            "1 or more steps, or a time such as 90s, 10m or 2h",
        )  # fmt: skip
        for name in (*counts, "keep_checkpoints", "steps_per_dispatch"):
            check(self, name, lambda x: x >= 1, "1 or more")
        check(self, "ema_decay", lambda x: x is None or 0 <= x < 1, "0 or more, below 1, or None")
        check(self, "eval_batches", lambda x: x is None or x >= 1, "1 or more")
        check(self, "skip_nonfinite", lambda x: x >= 0, "0 or more")
        check(
            self, "accumulate", lambda x: x >= 1 and self.batch_size % x == 0,
            f"a divisor of --batch-size {self.batch_size}",
        )  # fmt: skip
        # In steps from here on: a run that is gone on with keeps the schedule of its start.
        for field in dataclasses.fields(self):
            if isinstance(config := getattr(self, field.name), OptimizerConfig):
                object.__setattr__(self, field.name, config.in_steps(self.steps))
        for name, source in self.stands_on.items():
            check(source, "checkpoint", names_a_checkpoint, "latest, best or a step", f"{name}.")

    @property
    def step_options(self) -> dict[str, Any]:
        """What `one_player` and `two_players` take from every experiment."""
        return {"accumulate": self.accumulate, "ema_decay": self.ema_decay}

    @property
    def examples_per_step(self) -> int:
        """The examples that one step takes from the data."""
        return self.batch_size

    @property
    def stands_on(self) -> dict[str, FromRun]:
        """The fields that name other runs; one with an empty name names none."""
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in fields if isinstance(value, FromRun) and value.run}

    def load(self) -> Data:
        """Read the data; a UserError says what is wrong with it."""
        from jaxgen.data import load

        return load(self.data, kind=self.kind)

    def order(self, data: Data) -> Order:
        """The order in which examples are seen: every epoch another one."""
        from jaxgen.data import shuffled

        return shuffled(data.train.num_examples, self.examples_per_step, self.seed)

    def held_out(self, data: Data) -> Dataset:
        """What is judged of the held-out part: all of a small one, a fixed sample of a large one."""
        count = data.test.judged_by_default
        if self.eval_batches is not None:
            count = self.eval_batches * self.batch_size
        return data.test if count >= data.test.num_judged else data.test.sampled(count)

    @abstractmethod
    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """The functions that train and try the model for data of this spec.

        `trained` holds what each field that is a FromRun leads to, by the field's name.
        """

    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row; a UserError where nobody has written it down."""
        raise UserError(
            f"{type(self).__name__} has no cost table: give its family a `costs`, or leave it out here."
        )


@dataclass(frozen=True)
class OfImages(Experiment):
    """An experiment on images."""

    kind: ClassVar[str] = "images"
    resize: int | None = None
    """N: pictures are scaled, and cut at their centre, to N × N pixels; None: all are of one size."""

    def __post_init__(self):
        super().__post_init__()
        check(self, "resize", lambda x: x is None or 1 <= x <= 4096, "1 to 4096")

    def load(self) -> Data:
        """Read the data; a UserError says what is wrong with it."""
        from jaxgen.data import load

        return load(self.data, kind=self.kind, resize=self.resize)
