"""What an MLP denoiser costs, from scaled z to its outputs.

Rows of the matmuls, B examples of X numbers, I inputs (z and its waves), Y waves of λ, O outputs,
M = 2D, G = D within the noise's embedding:

    noise embedding   2·B·Y·G + 2·B·G·D      modulations   2·B·D·M each, L + 1 of them
    in 2·B·I·D        blocks  2·2·B·D·F each, L of them     out   2·B·D·O

Peebles & Xie 2023, https://arxiv.org/abs/2212.09748, without attention.
"""

import math

from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Cost, Row
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig

WAVES = 32  # sines and cosines of the noise, `jaxgen/layers/conditioning.py`
NORM = (7, 11)  # mean, subtract, square, mean, divide, scale, shift


def denoiser_rows(
    config: MLPDenoiserConfig,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    num_classes: int,
    outputs: int,
) -> list[Row]:
    """Forward and backward; num_classes is 0 where the model is not told the class."""
    size = math.prod(shape)
    sizes = {
        "B": batch_size, "X": size, "I": size * (1 + 2 * config.waves), "Y": WAVES,
        "L": config.num_layers, "D": config.model_size, "F": config.hidden_size,
        "G": config.model_size, "M": 2 * config.model_size,
        "O": size * outputs, "C": num_classes + 1,
    }  # fmt: skip

    def dense(name, inputs, result, repeats="", data=False):
        gradients = ("kernel",) if data else ("input", "kernel")
        return [
            matmul(
                name, sizes, times("B", inputs, result), inputs, result=times("B", result),
                repeats=repeats, kernel=times(inputs, result), gradients=gradients,
            ),
            elementwise(
                f"{name} bias", sizes, times(repeats, "B", result), 1, 1,
                parameters=times(repeats, result),
            ),
        ]  # fmt: skip

    def smooth(name, elements):  # silu: a sigmoid of 1, and a product; backward 5
        return elementwise(f"{name} silu", sizes, elements, 2, 5, kept=elements)

    classes = Row(
        "class embedding", "elementwise", sizes, forward=Cost("B·D", "4·min(B, C)·D"),
        backward=Cost("B·D", "4·C·D"), parameters="C·D", is_table=True,
    )  # fmt: skip
    dropout = elementwise("dropout", sizes, "L·B·F", 2, 2, kept="L·B·F", item_bytes=1)
    waves = elementwise("waves of z", sizes, "B·I", 2, 0)
    return [
        elementwise("waves of noise", sizes, "B·Y", 2, 0),
        *dense("noise in", "Y", "G", data=True),
        smooth("noise", "B·G"),
        *dense("noise out", "G", "D"),
        *([classes] if num_classes else []),
        smooth("condition", "B·D"),
        *([waves] if config.waves else []),
        *dense("in", "I", "D", data=True),
        *dense("modulation", "D", "M", "L"),
        elementwise("norm", sizes, "L·B·D", *NORM, kept="L·B·D"),
        *dense("block in", "D", "F", "L"),
        smooth("block", "L·B·F"),
        *([dropout] if config.dropout else []),
        *dense("block out", "F", "D", "L"),
        elementwise("residual", sizes, "L·B·D", 1, 1),
        *dense("last modulation", "D", "M"),
        elementwise("last norm", sizes, "B·D", *NORM, kept="B·D"),
        *dense("out", "D", "O"),
    ]
