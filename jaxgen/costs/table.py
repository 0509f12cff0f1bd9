"""A cost table: one row per matmul of a step, its contracted sizes named, that sums to the step.

A matmul that multiplies and adds over the sizes B, T, D, F costs 2·B·T·D·F FLOPs. Its backward pass
is one matmul of the same cost for each operand that has a gradient.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Matmul:
    """One matmul of the forward pass, with the matmuls that its gradient needs."""

    name: str
    sizes: dict[str, int]
    """Shape letter to size, every dimension of the product once, e.g. B, T, D, F."""
    gradients: int = 2
    """2 where both operands have a gradient; 1 where one is data or a constant; 0 for neither."""

    @property
    def formula(self) -> str:
        """The forward FLOPs in the shape letters, e.g. 2·B·T·D·F."""
        return "·".join(["2", *self.sizes])

    @property
    def forward_flops(self) -> int:
        """A multiply-add counts as 2."""
        return 2 * math.prod(self.sizes.values())

    @property
    def backward_flops(self) -> int:
        """As many matmuls of the forward's cost as there are gradients."""
        return self.gradients * self.forward_flops


def step_flops(rows: Iterable[Matmul]) -> int:
    """FLOPs of the matmuls of a training step, forward and backward."""
    return sum(row.forward_flops + row.backward_flops for row in rows)
