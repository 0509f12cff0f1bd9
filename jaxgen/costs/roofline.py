"""From a cost and two ceilings to the least time, and from a measured time to a fraction of it.

    (1) compute = FLOPs / peak FLOP/s,  memory = bytes / peak bytes/s
    (2) time >= max(compute, memory)         both overlap perfectly
    (3) time  = compute + memory             nothing overlaps: the pessimist's line

Williams et al. 2009, "Roofline: an insightful visual performance model", CACM 52(4),
https://doi.org/10.1145/1498765.1498785.
"""

from dataclasses import dataclass
from typing import Literal

from jaxgen.costs.conventions import Convention
from jaxgen.costs.table import Table

Number = int | float


class CeilingError(ArithmeticError):
    """A measurement above its ceiling: the count, the clock or the ceiling is wrong."""


@dataclass(frozen=True)
class Bound:
    """The least time of a piece of work, in seconds."""

    compute_seconds: Number
    memory_seconds: Number

    @property
    def seconds(self) -> Number:
        """Eq. (2): the bound."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def sum_seconds(self) -> Number:
        """Eq. (3): with no overlap."""
        return self.compute_seconds + self.memory_seconds

    @property
    def binds(self) -> Literal["compute", "memory"]:
        """Which side decides Eq. (2)."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"


def roofline(
    flops: Number, moved_bytes: Number, flops_per_second: Number, bytes_per_second: Number
) -> Bound:
    """Eq. (1), e.g. of a table's matmul_flops and least_bytes()."""
    return Bound(flops / flops_per_second, moved_bytes / bytes_per_second)


def fraction_of_ceiling(bound_seconds: Number, measured_seconds: Number, what: str) -> float:
    """How near a measured time comes to its bound, at most 1.

    Raises:
      CeilingError: the measurement beats the bound, which nothing can; `what` names it.
    """
    fraction = bound_seconds / measured_seconds
    if fraction > 1:
        raise CeilingError(
            f"{what}: {measured_seconds:.3g} s is {fraction:.0%} of a ceiling that allows no less than "
            f"{bound_seconds:.3g} s; the FLOPs, the bytes, the clock or the ceiling is wrong"
        )
    return fraction


@dataclass(frozen=True)
class Utilisation:
    """Model FLOPs utilisation, which means nothing without its convention and its peak."""

    fraction: float
    convention: str
    peak: str

    def __str__(self):
        return f"{self.fraction:.1%} MFU ({self.convention} FLOPs; peak: {self.peak})"


def model_flops_utilisation(
    table: Table,
    convention: Convention,
    tokens_per_second: Number,
    peak_flops_per_second: Number,
    peak: str,
) -> Utilisation:
    """MFU of a GPT by a convention; `peak` says whose peak, e.g. 'H100 SXM, bfloat16 dense'.

    Chowdhery et al. 2022, appendix B, https://arxiv.org/abs/2204.02311.

    Raises:
      CeilingError: above 100 %.
    """
    rate = convention.flops_per_token(table) * tokens_per_second
    what = f"MFU by {convention.name} FLOPs of {peak}"
    return Utilisation(
        fraction_of_ceiling(rate / peak_flops_per_second, 1.0, what), convention.name, peak
    )
