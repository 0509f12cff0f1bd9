"""What a DiT costs, from scaled z to its outputs.

Rows of the matmuls, for each of L blocks (T patches of U numbers, S = T keys, D = N·H, F = 4D in the
paper, M = 6D modulations, E = 2D of the last norm, Y waves of λ, G = D in the noise's embedding):

    query, key, value, out   2·B·T·D² each      scores, mix   2·B·T²·D each
    mlp in, out   2·B·T·D·F each                modulation    2·B·D·6D

so that a forward pass is B·L·(24·T·D² + 4·T²·D + 12·D²), beside patches, 2·B·T·U·D in and V outputs for
each number out, and the embedding of the noise. Peebles & Xie 2023, https://arxiv.org/abs/2212.09748,
print half of it as "Gflops", a multiply-add for one (see `costs/conventions.py`).
"""

from jaxgen.costs.attention import self_attention
from jaxgen.costs.conditioning import NORM, WAVES, condition, dense
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Row
from jaxgen.models.dit.config import DiTConfig


def dit_rows(
    config: DiTConfig,
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
    height, width, channels = shape
    P, D = config.patch_size, config.model_size
    T, U = (height // P) * (width // P), P * P * channels
    sizes = {
        "B": batch_size, "T": T, "S": T, "U": U, "O": U * outputs, "Y": WAVES * told,
        "L": config.num_layers, "N": config.num_heads, "H": config.head_size, "D": D, "G": D,
        "F": config.hidden_size, "M": 6 * D, "E": 2 * D, "C": num_classes + 1,
    }  # fmt: skip

    return [
        *condition(sizes, "D", classes=num_classes > 0),
        *dense("patches in", sizes, "B·T", "U", "D", data=True),
        elementwise("positions", sizes, "B·T·D", 1, 0),
        *_block(sizes),
        *dense("last modulation", sizes, "B", "D", "E"),
        elementwise("last norm", sizes, "B·T·D", *NORM, kept="B·T·D"),
        *dense("patches out", sizes, "B·T", "D", "O"),
    ]


def _block(sizes: dict[str, int]) -> list[Row]:
    stream = "L·B·T·D"
    return [
        *dense("modulation", sizes, "B", "D", "M", "L"),
        elementwise("norm 1", sizes, stream, *NORM, kept=stream),
        *self_attention(sizes, repeats="L"),
        elementwise("attention gate and residual", sizes, stream, 2, 3),
        elementwise("norm 2", sizes, stream, *NORM, kept=stream),
        *dense("mlp in", sizes, "B·T", "D", "F", "L"),
        # x³ by 3 products, +, scale, sigmoid, product
        elementwise("gelu", sizes, "L·B·T·F", 7, 10, kept="L·B·T·F"),
        *dense("mlp out", sizes, "B·T", "F", "D", "L"),
        elementwise("mlp gate and residual", sizes, stream, 2, 3),
    ]
