"""What a DiT costs, from scaled z to its outputs.

Rows of the matmuls, for each of L blocks (T patches of U numbers, S = T keys, D = N·H, F = 4D in the
paper, M = 6D modulations, E = 2D of the last norm, Y waves of λ, G = D in the noise's embedding):

    query, key, value, out   2·B·T·D² each      scores, mix   2·B·T²·D each
    mlp in, out   2·B·T·D·F each                modulation    2·B·D·6D

so that a forward pass is B·L·(24·T·D² + 4·T²·D + 12·D²), beside patches, 2·B·T·U·D in and V outputs for
each number out, and the embedding of the noise. Peebles & Xie 2023, https://arxiv.org/abs/2212.09748,
print half of it as "Gflops", a multiply-add for one (see `costs/conventions.py`).
"""

from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Cost, Row
from jaxgen.models.dit.config import DiTConfig

WAVES = 32  # sines and cosines of the noise, `jaxgen/layers/conditioning.py`
NORM = (7, 11)  # mean, subtract, square, mean, divide, scale, shift


def dit_rows(
    config: DiTConfig, *, batch_size: int, shape: tuple[int, ...], num_classes: int, outputs: int
) -> list[Row]:
    """Forward and backward; num_classes is 0 where the model is not told the class."""
    height, width, channels = shape
    P, D = config.patch_size, config.model_size
    T, U = (height // P) * (width // P), P * P * channels
    sizes = {
        "B": batch_size, "T": T, "S": T, "U": U, "O": U * outputs, "Y": WAVES,
        "L": config.num_layers, "N": config.num_heads, "H": config.head_size, "D": D, "G": D,
        "F": config.hidden_size, "M": 6 * D, "E": 2 * D, "C": num_classes + 1,
    }  # fmt: skip

    def dense(name, of, inputs, result, repeats="", data=False):
        """A matmul of `of` vectors with its bias; data: the input has no gradient."""
        elements = times(of, result)
        return [
            matmul(
                name, sizes, times(of, inputs, result), inputs, result=elements, repeats=repeats,
                kernel=times(inputs, result), gradients=("kernel",) if data else ("input", "kernel"),
            ),
            elementwise(
                f"{name} bias", sizes, times(repeats, elements), 1, 1,
                parameters=times(repeats, result),
            ),
        ]  # fmt: skip

    def smooth(name, elements):
        return elementwise(f"{name} silu", sizes, elements, 2, 5, kept=elements)

    classes = Row(
        "class embedding", "elementwise", sizes, forward=Cost("B·D", "4·min(B, C)·D"),
        backward=Cost("B·D", "4·C·D"), parameters="C·D", is_table=True,
    )  # fmt: skip
    return [
        elementwise("waves of noise", sizes, "B·Y", 2, 0),
        *dense("noise in", "B", "Y", "G", data=True),
        smooth("noise", "B·G"),
        *dense("noise out", "B", "G", "D"),
        *([classes] if num_classes else []),
        smooth("condition", "B·D"),
        *dense("patches in", "B·T", "U", "D", data=True),
        elementwise("positions", sizes, "B·T·D", 1, 0),
        *_block(sizes, dense),
        *dense("last modulation", "B", "D", "E"),
        elementwise("last norm", sizes, "B·T·D", *NORM, kept="B·T·D"),
        *dense("patches out", "B·T", "D", "O"),
    ]


def _block(sizes: dict[str, int], dense) -> list[Row]:
    square, stream = "B·N·T·S", "L·B·T·D"
    projections = []
    for name in ("query", "key", "value"):
        projections += [
            matmul(
                name, sizes, "B·T·D·N·H", "D", result="B·T·N·H", repeats="L", kernel="D·N·H",
            ),
            elementwise(f"{name} bias", sizes, "L·B·T·N·H", 1, 1, parameters="L·N·H"),
        ]  # fmt: skip
    return [
        *dense("modulation", "B", "D", "M", "L"),
        elementwise("norm 1", sizes, stream, *NORM, kept=stream),
        *projections,
        matmul("scores", sizes, "B·N·T·S·H", "H", result=square, repeats="L", kept=False),
        elementwise("scale", sizes, times("L", square), 1, 1),
        elementwise("softmax", sizes, times("L", square), 5, 4, kept=times("L", square)),
        matmul("mix", sizes, "B·N·T·S·H", "S", result="B·T·N·H", repeats="L"),
        matmul(
            "attention out", sizes, "B·T·N·H·D", "N·H", result="B·T·D", repeats="L", kernel="N·H·D"
        ),
        elementwise("attention out bias", sizes, stream, 1, 1, parameters="L·D"),
        elementwise("attention gate and residual", sizes, stream, 2, 3),
        elementwise("norm 2", sizes, stream, *NORM, kept=stream),
        *dense("mlp in", "B·T", "D", "F", "L"),
        # x³ by 3 products, +, scale, sigmoid, product
        elementwise("gelu", sizes, "L·B·T·F", 7, 10, kept="L·B·T·F"),
        *dense("mlp out", "B·T", "F", "D", "L"),
        elementwise("mlp gate and residual", sizes, stream, 2, 3),
    ]
