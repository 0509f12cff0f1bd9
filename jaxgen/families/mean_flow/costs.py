"""What a training step of a mean flow costs: the network, its derivative in one direction, the loss.

The derivative, forward mode, comes with the value: of a matmul with a kernel it is one more, of a
product of two activations two more. The gradient goes through the value alone, since the target is held
fixed. Geng et al. 2025, section 4.1, https://arxiv.org/abs/2505.13447.
"""

import math
from dataclasses import replace
from typing import Any

from jaxgen.costs.formula import times
from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import CONTRACTIONS, Cost, Row, Table
from jaxgen.models.base import ModelConfig


def mean_flow_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    num_classes: int,
    ema: bool = False,
) -> Table:
    """The table of one training step; num_classes is 0 for a model that is told none."""
    sizes = {"B": batch_size, "X": math.prod(shape)}
    rows = model.costs(
        batch_size=batch_size, shape=shape, num_classes=num_classes, outputs=1, told=2
    )
    whole = [
        elementwise("noise and velocity", sizes, "B·X", 4, 0),
        *rows,
        *(_along(row) for row in rows if not row.is_table),
        elementwise("target", sizes, "B·X", 2, 0),
        elementwise("squared error and its mean", sizes, "B·X", 3, 2),
    ]
    return Table("mean flow", (*whole, *optimizer_rows(rows, optimizer, ema=ema)))


def _along(row: Row) -> Row:
    """A row's derivative in the direction in which z and t change."""
    once = row.parameters != "0" and row.kind in CONTRACTIONS
    flops = times(1 if once else 2, row.forward.flops)
    return replace(
        row, name=f"{row.name}, its derivative", forward=Cost(flops), backward=Cost(),
        parameters="0", activation_bytes="0", matrices=None,
    )  # fmt: skip
