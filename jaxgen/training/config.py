"""What a person sets of the optimiser; no jax here, so that help is quick."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxgen.errors import check


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW (Loshchilov & Hutter 2019) with a linear warm-up and an optional cosine decay."""

    learning_rate: float = 1e-3
    """The peak learning rate."""
    beta1: float = 0.9
    """Decay of the first moment."""
    beta2: float = 0.999
    """Decay of the second moment."""
    weight_decay: float = 0.0
    """Decoupled decay, applied to matrices only; 0 makes it plain Adam (Kingma & Ba 2015)."""
    clip_norm: float | None = None
    """Scale gradients whose global norm exceeds this; None never does."""
    warmup_steps: int = 0
    """Steps over which the rate grows from 0 to its peak."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After the warm-up: hold the peak, or follow half a cosine down to a tenth of it."""
    decay_steps: int = 1000
    """The step at which the cosine ends; apart from --steps, so that a longer run begins alike."""

    def __post_init__(self):
        rules = {
            "learning_rate": (lambda x: 0 < x < math.inf, "a finite number above 0"),
            "beta1": (lambda x: 0 <= x < 1, "a number of 0 or more, below 1"),
            "beta2": (lambda x: 0 <= x < 1, "a number of 0 or more, below 1"),
            "weight_decay": (lambda x: 0 <= x < math.inf, "a finite number of 0 or more"),
            "clip_norm": (
                lambda x: x is None or 0 < x < math.inf,
                "a finite number above 0, or None",
            ),
            "warmup_steps": (lambda x: x >= 0, "a number of 0 or more"),
            "decay_steps": (
                lambda x: self.schedule == "constant" or x > self.warmup_steps,
                "a number above --optimizer.warmup-steps",
            ),
        }
        for field, (holds, wanted) in rules.items():
            check(self, field, holds, wanted, "optimizer.")
