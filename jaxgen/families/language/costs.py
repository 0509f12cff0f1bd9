"""What a training step of a language model costs beside its model: the loss and the optimiser."""

from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Table
from jaxgen.models.base import ModelConfig


def language_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    seq_len: int,
    vocab_size: int,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size sequences of seq_len tokens."""
    sizes = {"B": batch_size, "T": seq_len, "V": vocab_size}
    rows = [
        *model.costs(batch_size=batch_size, seq_len=seq_len, vocab_size=vocab_size),
        # max, subtract, exp, sum; backward: the softmax times the gradient
        elementwise("cross-entropy", sizes, "B·T·V", 4, 2),
        elementwise("mean over tokens", sizes, "B·T", 1, 1),
    ]
    return Table("language", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))
