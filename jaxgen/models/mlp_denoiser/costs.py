"""What an MLP denoiser costs, from scaled z to its outputs.

Rows of the matmuls, B examples of X numbers, I inputs (z and its waves), Y waves of λ, O outputs,
M = 2D, G = D within the noise's embedding:

    noise embedding   2·B·Y·G + 2·B·G·D      modulations   2·B·D·M each, L + 1 of them
    in 2·B·I·D        blocks  2·2·B·D·F each, L of them     out   2·B·D·O

Peebles & Xie 2023, https://arxiv.org/abs/2212.09748, without attention.
"""

import math

from jaxgen.costs.conditioning import NORM, WAVES, condition, dense, silu
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Row
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig


def denoiser_rows(
    config: MLPDenoiserConfig,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    num_classes: int,
    outputs: int,
    told: int = 1,
) -> list[Row]:
    """Forward and backward; num_classes is 0 where the model is not told the class.

    told: λ alone, or so many numbers of its kind.
    """
    size = math.prod(shape)
    sizes = {
        "B": batch_size, "X": size, "I": size * (1 + 2 * config.waves), "Y": WAVES * told,
        "L": config.num_layers, "D": config.model_size, "F": config.hidden_size,
        "G": config.model_size, "M": 2 * config.model_size,
        "O": size * outputs, "C": num_classes + 1,
    }  # fmt: skip

    dropout = elementwise("dropout", sizes, "L·B·F", 2, 2, kept="L·B·F", item_bytes=1)
    waves = elementwise("waves of z", sizes, "B·I", 2, 0)
    return [
        *condition(sizes, "D", classes=num_classes > 0),
        *([waves] if config.waves else []),
        *dense("in", sizes, "B", "I", "D", data=True),
        *dense("modulation", sizes, "B", "D", "M", "L"),
        elementwise("norm", sizes, "L·B·D", *NORM, kept="L·B·D"),
        *dense("block in", sizes, "B", "D", "F", "L"),
        silu("block", sizes, "L·B·F"),
        *([dropout] if config.dropout else []),
        *dense("block out", sizes, "B", "F", "D", "L"),
        elementwise("residual", sizes, "L·B·D", 1, 1),
        *dense("last modulation", sizes, "B", "D", "M"),
        elementwise("last norm", sizes, "B·D", *NORM, kept="B·D"),
        *dense("out", sizes, "B", "D", "O"),
    ]
