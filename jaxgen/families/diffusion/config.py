"""What a person sets of a diffusion model's samples; no jax here, so that help is quick."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.errors import check


@dataclass(frozen=True)
class DiffusionSampling:
    """How samples are drawn."""

    show: Literal["samples", "paths"] = "samples"
    """Only the samples, or their way to them: noise, three levels of it between, and the samples."""
    count: int = 64
    """Samples in the picture."""
    sampler: Literal["ancestral", "ddim", "euler", "heun", "dpm-solver++"] = "heun"
    """Which step; heun evaluates the network twice a step, the others once."""
    num_steps: int = 20
    """N, steps from noise to data."""
    spacing: Literal["uniform", "quadratic", "log-snr", "karras"] = "karras"
    """Where the times lie: uniform or quadratic in t, uniform in λ, or as EDM has them."""
    eta: float = 0.0
    """Of ddim: 0 draws no noise, 1 as much as ancestral."""
    churn: float = 0.0
    """Of heun: noise is raised by this share before each step."""
    guidance: float = 1.0
    """w: 1 is the conditional model, 0 the unconditional one; beyond 1 classes are exaggerated. The w
    that Ho & Salimans 2022 print is this minus 1."""
    guidance_from: float = -100.0
    """The lowest λ at which guidance is given."""
    guidance_to: float = 100.0
    """The highest λ at which guidance is given."""
    label: int = -1
    """The class to draw; -1 draws all in turn."""

    def __post_init__(self):
        check(self, "count", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")
        check(self, "num_steps", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")
        check(self, "eta", lambda x: 0 <= x <= 1, "0 to 1", "sampling.")
        check(self, "churn", lambda x: 0 <= x <= 1, "0 to 1", "sampling.")
        check(self, "guidance", lambda x: 0 <= x < 1000, "0 or more, below 1000", "sampling.")
        for name in ("guidance_from", "guidance_to"):
            check(self, name, lambda x: -1e6 < x < 1e6, "a finite number", "sampling.")
        check(self, "label", lambda x: x >= -1, "a class, or -1 for all", "sampling.")
