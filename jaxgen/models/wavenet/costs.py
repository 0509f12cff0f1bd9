"""What a WaveNet costs, from samples to what describes the next ones, and back.

Rows of the matmuls, for each of L layers (T samples, J frames, K taps, G = 2·H, C features, a label
of E numbers):

    taps   2·B·T·K·D·G      residual   2·B·T·H·D, of the first L − 1      skip   2·B·T·H·S

beside the convolution before them, 2·B·T·K·D·D, the head, 2·B·T·S·(S + V), and what conditions them,
2·B·J·C·L·G and 2·B·E·L·G. To draw one sample costs the same with B·T = 1: dilations do not enter.
van den Oord et al. 2016, https://arxiv.org/abs/1609.03499.
"""

from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Cost, Row
from jaxgen.models.wavenet.config import WaveNetConfig


def wavenet_rows(
    config: WaveNetConfig,
    *,
    batch_size: int,
    seq_len: int,
    levels: int,
    outputs: int,
    num_features: int = 0,
    num_frames: int = 1,
    num_labels: int = 0,
) -> list[Row]:
    """Forward and backward on windows of seq_len samples; levels, features and labels 0: none."""
    sizes = {
        "B": batch_size, "T": seq_len, "J": num_frames, "K": config.filter_width,
        "D": config.model_size, "H": config.hidden_size, "G": 2 * config.hidden_size,
        "S": config.skip_size, "L": config.num_layers, "M": config.num_layers - 1, "V": outputs,
        "C": num_features, "E": config.label_size, "Y": num_labels, "U": levels,
    }  # fmt: skip
    stream = "B·T·D"

    def dense(name, inputs, outputs, repeats="", relu=False):
        """A product at every time, with its bias and relu."""
        elements = times("B·T", outputs)
        return [
            matmul(
                name, sizes, times("B·T", inputs, outputs), inputs, result=elements, repeats=repeats,
                kernel=times(inputs, outputs),
            ),
            elementwise(
                f"{name} bias", sizes, times(repeats, elements), 2 if relu else 1, 2 if relu else 1,
                parameters=times(repeats, outputs),
            ),
        ]  # fmt: skip

    def table(name, letter, vectors, size):
        made, rows = times(vectors, size), times(letter, size)
        read = times(f"min({vectors}, {letter})", size)
        return Row(
            name, "elementwise", sizes,
            forward=Cost("0", times(4, plus(read, made))),
            backward=Cost(made, times(4, plus(rows, made))),
            parameters=rows, is_table=True,
        )  # fmt: skip

    def taps(name, repeats, outputs):
        return matmul(
            name, sizes, times("B·T·K·D", outputs), "K·D", result=times("B·T", outputs),
            repeats=repeats, kernel=times("K·D", outputs),
        )  # fmt: skip

    residual = dense("residual", "H", "D", "M")
    return [
        elementwise("value", sizes, stream, 1, 2, parameters="D"),
        *([table("levels", "U", "B·T", "D"), elementwise("input", sizes, stream, 1, 0)] * bool(levels)),
        taps("first convolution", "", "D"),
        elementwise("first taps added", sizes, times("K − 1", stream), 1, 1),
        *(_local(sizes) if num_features else []),
        *([table("label", "Y", "B", "E"), *_global(sizes)] if num_labels else []),
        taps("taps", "L", "G"),
        # the other taps' sums, and what conditions; backward the same sums
        elementwise("taps added and conditioned", sizes, "L·B·T·K·G", 1, 1, parameters="L·G"),
        # tanh, sigmoid, product; backward: two derivatives of 3, two products each
        elementwise("gate", sizes, "L·B·T·H", 3, 8, kept="2·L·B·T·H"),
        *(residual if config.num_layers > 1 else []),
        elementwise("residual added", sizes, times("M", stream), 1, 1),
        *dense("skip", "L·H", "S", relu=True),
        *dense("hidden", "S", "S", relu=True),
        matmul(
            "out", sizes, "B·T·S·V", "S", result="B·T·V", kernel="S·V", hidden=False, on_chip=True,
        ),
        elementwise("out bias", sizes, "B·T·V", 1, 1, parameters="V"),
    ]  # fmt: skip


def _local(sizes: dict[str, int]) -> list[Row]:
    """The features of all frames to the gates of all layers; they have no gradient."""
    return [
        matmul(
            "features", sizes, "B·J·C·L·G", "C", result="B·J·L·G", kernel="C·L·G",
            gradients=("kernel",), data="B·J·C",
        ),
        elementwise("features added", sizes, "B·J·L·G", 1, 1),
    ]  # fmt: skip


def _global(sizes: dict[str, int]) -> list[Row]:
    return [
        matmul("label to gates", sizes, "B·E·L·G", "E", result="B·L·G", kernel="E·L·G"),
        elementwise("label added", sizes, "B·J·L·G", 1, 1),
    ]
