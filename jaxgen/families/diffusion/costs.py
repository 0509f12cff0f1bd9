"""What a training step of diffusion costs beside its network: noise, loss and optimiser."""

import math
from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Table
from jaxgen.models.base import ModelConfig


def diffusion_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    num_classes: int,
    levels: int,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size examples of that shape, one noise each.

    num_classes is 0 for a model that is told none; levels are 0 for one that predicts numbers.
    """
    sizes = {"B": batch_size, "X": math.prod(shape), "K": max(levels, 1)}
    # subtract, square, divide, add; max, subtract, exp, sum, divide; product and sum
    lattice = elementwise("lattice", sizes, "B·X·K", 11, 8, kept="2·B·X·K")
    rows = [
        elementwise("noise", sizes, "B·X", 3, 0),  # two products and a sum
        elementwise("scaled input", sizes, "B·X", 1, 0),
        *model.costs(
            batch_size=batch_size, shape=shape, num_classes=num_classes, outputs=max(levels, 1)
        ),
        lattice if levels else elementwise("x from the output", sizes, "B·X", 3, 1),
        elementwise("weighted squared error and its mean", sizes, "B·X", 3, 2),
    ]
    return Table("diffusion", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))
