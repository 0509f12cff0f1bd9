"""What a training step of a language model costs beside its model: the loss and the optimiser."""

from dataclasses import replace
from typing import Any

from jaxgen.costs.formula import plus
from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Row, Table
from jaxgen.models.base import ModelConfig


def language_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    seq_len: int,
    vocab_size: int,
    ema: bool = False,
    chunked: bool = False,
) -> Table:
    """The table of one training step on batch_size sequences of seq_len tokens.

    chunked: the logits are computed again in the backward pass in the place of being kept.
    """
    sizes = {"B": batch_size, "T": seq_len, "V": vocab_size}
    made = model.costs(batch_size=batch_size, seq_len=seq_len, vocab_size=vocab_size)
    rows = [
        *(_again(row) if chunked and row.name == "head" else row for row in made),
        # max, subtract, exp, sum; backward: the softmax times the gradient
        elementwise("cross-entropy", sizes, "B·T·V", 4, 2),
        elementwise("mean over tokens", sizes, "B·T", 1, 1),
    ]
    return Table("language", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))


def _again(row: Row) -> Row:
    """The row with its forward pass run once more, and nothing kept."""
    flops = plus(row.backward.flops, row.forward.flops)
    return replace(row, backward=replace(row.backward, flops=flops), activation_bytes="0")
