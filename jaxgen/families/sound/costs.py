"""What a training step of a model of sound costs beside its model: companding, loss and optimiser."""

from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Table
from jaxgen.models.base import ModelConfig


def sound_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    seq_len: int,
    levels: int,
    mixtures: int,
    ema: bool = False,
    **told: int,
) -> Table:
    """The table of one training step on batch_size windows of seq_len samples.

    Args:
      levels: of the μ-law; 0 for a mixture of so many logistics. told: num_features, num_frames and
        num_labels of the data.
    """
    sizes = {"B": batch_size, "T": seq_len, "V": levels, "X": mixtures}
    outputs = levels or 3 * mixtures
    rows = [
        # product, log, quotient; sum, product, floor and back
        elementwise("companding", sizes, "B·T", 9 if levels else 4, 0),
        *model.costs(
            batch_size=batch_size, seq_len=seq_len, levels=levels, outputs=outputs, **told
        ),
        # max, subtract, exp, sum; backward: the softmax times the gradient
        elementwise("cross-entropy", sizes, "B·T·V", 4, 2)
        if levels
        # two sigmoids' logs and their difference's, both ends, and a sum of exponentials
        else elementwise("mixture of logistics", sizes, "B·T·X", 30, 40),
        elementwise("mean over samples", sizes, "B·T", 1, 1),
    ]
    return Table("sound", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))
