"""How fast a run is, and its learning rate: what a line of metrics has beside those of the step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Meter:
    """What the loop needs to know to say how fast it is; nothing of it enters a step.

    Attributes:
      unit: what a step consumes, in the plural. per_step: how many of them.
      flops: a step's matmul FLOPs by its cost table: each product once, attention's whole square, no
        recomputation. None where there is no table.
      peak: the published FLOP/s of all devices in the dtype of the products; None where there is none.
      learning_rates: by name, of a step.
    """

    unit: str = "examples"
    per_step: int = 0
    flops: int | None = None
    peak: int | None = None
    learning_rates: Mapping[str, Callable[[int], float]] = field(default_factory=dict)

    def rates_of(self, step: int) -> dict[str, float]:
        """The learning rates of the update that ended in this step."""
        return {name: rate(step - 1) for name, rate in self.learning_rates.items()}

    def speed(self, steps: int, seconds: float) -> dict[str, float]:
        """Steps, units and model FLOPs a second, and their share of the peak (model FLOPs utilisation).

        All are of the seconds spent in training: evaluation and drawing are left out.
        """
        if seconds <= 0:
            return {}
        found = {"steps_per_second": steps / seconds}
        if self.per_step:
            found[f"{self.unit}_per_second"] = self.per_step * steps / seconds
        if self.flops:
            found["model_flops_per_second"] = self.flops * steps / seconds
            if self.peak:
                found["mfu"] = found["model_flops_per_second"] / self.peak
        return {name: float(f"{value:.4g}") for name, value in found.items()}


def is_time(name: str) -> bool:
    """Whether a number of metrics.jsonl is one of time, which no two runs share."""
    return name in ("seconds", "mfu") or name.endswith("_per_second")
