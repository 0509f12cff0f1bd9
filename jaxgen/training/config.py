"""What a person sets of the optimiser; no jax here, so that help is quick."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from jaxgen.errors import check

OptimizerName = Literal["adamw", "muon", "sgd"]
ScheduleName = Literal["constant", "cosine", "linear"]


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW (Loshchilov & Hutter 2019), Muon (Jordan et al. 2024) or SGD with momentum.

    A field that the chosen optimiser or schedule does not read says so, and is ignored: a preset's
    value for one optimiser then does not stand in the way of another.
    """

    name: OptimizerName = "adamw"
    """Muon is for hidden matrices; embeddings, head, biases and norms follow Adam beside it."""
    learning_rate: float = 1e-3
    """The peak learning rate. Muon's matrices take it too: their updates are scaled to the size of
    Adam's (Liu et al. 2025)."""
    momentum: float = 0.95
    """Decay of the sum of gradients in Muon and SGD, for which 0.9 is usual; 0 gives plain SGD, which
    keeps nothing. AdamW does not read it."""
    beta1: float = 0.9
    """Decay of Adam's first moment. SGD does not read it."""
    beta2: float = 0.999
    """Decay of Adam's second moment. SGD does not read it."""
    weight_decay: float = 0.0
    """Decoupled decay, applied to matrices only; 0 makes AdamW plain Adam (Kingma & Ba 2015)."""
    clip_norm: float | None = None
    """Scale gradients whose global norm exceeds this; None never does."""
    warmup_steps: int | float = 0
    """Steps over which the rate grows from 0 to its peak; with a point, as 0.05, a part of --steps."""
    schedule: ScheduleName = "constant"
    """After the warm-up: hold the peak, follow half a cosine down, or fall on a line to zero."""
    decay_steps: int | float = 1000
    """The step at which cosine and line end; apart from --steps, so that a longer run begins alike.
    With a point, as 1.0, a part of the --steps of the start. A constant rate does not read it."""
    end_fraction: float = 0.1
    """Of the peak, where the cosine ends and stays. The others do not read it."""

    def __post_init__(self):
        share = (lambda x: 0 <= x < 1, "a number of 0 or more, below 1")
        rules = {
            "name": (lambda x: x in get_args(OptimizerName), "adamw, muon or sgd"),
            "learning_rate": (lambda x: 0 < x < math.inf, "a finite number above 0"),
            "momentum": share,
            "beta1": share,
            "beta2": share,
            "weight_decay": (lambda x: 0 <= x < math.inf, "a finite number of 0 or more"),
            "clip_norm": (
                lambda x: x is None or 0 < x < math.inf,
                "a finite number above 0, or None",
            ),
            "warmup_steps": (_is_length, "0 or more steps, or from 0.0 to 1.0 of --steps"),
            "schedule": (lambda x: x in get_args(ScheduleName), "constant, cosine or linear"),
            "decay_steps": (
                lambda x: _is_length(x) and (self.schedule == "constant" or self._ends_behind(x)),
                "a number above --optimizer.warmup-steps",
            ),
            "end_fraction": (lambda x: 0 <= x <= 1, "a number from 0 to 1"),
        }
        for field, (holds, wanted) in rules.items():
            check(self, field, holds, wanted, "optimizer.")

    def rate(self, step: int) -> float:
        """The learning rate at a step, as `make_schedule` has it: for people, without a device."""
        warmup, end = self.warmup_steps, self.decay_steps
        if step < warmup:
            return self.learning_rate * step / warmup
        if self.schedule == "constant":
            return self.learning_rate
        gone = min((step - warmup) / (end - warmup), 1.0)
        if self.schedule == "linear":
            return self.learning_rate * (1 - gone)
        wave = (1 + math.cos(math.pi * gone)) / 2
        return self.learning_rate * (self.end_fraction + (1 - self.end_fraction) * wave)

    def _ends_behind(self, length: int | float) -> bool:
        """Whether the rate falls after the warm-up, as far as that can be told."""
        alike = isinstance(length, int) == isinstance(self.warmup_steps, int)
        return length > self.warmup_steps if alike else length > 0

    def in_steps(self, steps: int) -> "OptimizerConfig":
        """The same with parts of a run as numbers of steps."""
        lengths = {
            name: round(length * steps)
            for name in ("warmup_steps", "decay_steps")
            if isinstance(length := getattr(self, name), float)
        }
        return replace(self, **lengths) if lengths else self


def _is_length(length: int | float) -> bool:
    """Whether it is a number of steps, or a part of a run."""
    return 0 <= length <= 1 if isinstance(length, float) else length >= 0
