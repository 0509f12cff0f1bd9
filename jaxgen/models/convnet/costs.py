"""What a convolutional classifier costs, up to its logits.

Row of a convolution: 2·B·(H1·W1·K·K)·C0·C1 as patches and a matmul, or 2·B·(M1·N1)·C0·C1 by the native
form, whose M·N pairs of a place and a pixel under it leave out the padding. Letters: H0, W0, C0 of the
image; H1, W1, C1 and so on of each convolution's result; X numbers that the hidden layer reads, F
features, V classes. Springenberg et al. 2015, https://arxiv.org/abs/1412.6806.
"""

from jaxgen.costs.convolution import convolution, same_axis
from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, mlp
from jaxgen.costs.table import Row
from jaxgen.models.convnet.config import ConvNetConfig


def convnet_rows(
    config: ConvNetConfig,
    *,
    batch_size: int,
    height: int,
    width: int,
    channels: int,
    num_classes: int,
) -> list[Row]:
    """Forward and backward; `auto` is priced as the patches that a CPU takes."""
    K = config.kernel_size
    sizes = {"B": batch_size, "K": K, "H0": height, "W0": width, "C0": channels}
    for layer, size in enumerate(config.channels, start=1):
        sizes[f"C{layer}"] = size
        for places, pairs in ("HM", "WN"):
            axis = same_axis(sizes[f"{places}{layer - 1}"], K, stride=2)
            sizes[f"{places}{layer}"], sizes[f"{pairs}{layer}"] = axis
    last = len(config.channels)
    X = sizes[f"H{last}"] * sizes[f"W{last}"] * sizes[f"C{last}"]
    sizes |= {"X": X, "F": config.hidden_size, "V": num_classes}
    rows: list[Row] = []
    for layer in range(1, last + 1):
        rows += _convolution(layer, sizes, native=config.convolution == "native")
    hidden = mlp("head", sizes, ("X", "F", "V"))
    dropout = elementwise("dropout", sizes, "B·F", 2, 2, kept="B·F", item_bytes=1)
    return [*rows, *hidden, *([dropout] if config.dropout else [])]


def _convolution(layer: int, sizes: dict[str, int], *, native: bool) -> list[Row]:
    """A convolution, its bias and relu."""
    before, here = layer - 1, layer
    name, places, C = f"convolution {layer}", f"H{here}·W{here}", f"C{here}"
    result = times("B", places, C)
    return [
        *convolution(
            name, sizes, image=f"H{before}·W{before}", channels=(f"C{before}", C), places=places,
            kernel="K·K", pairs=f"M{here}·N{here}", native=native,
            gradients=("kernel",) if layer == 1 else ("input", "kernel"), data=layer == 1,
        ),
        elementwise(f"{name}: bias", sizes, result, 1, 1, parameters=C),
        elementwise(f"{name}: relu", sizes, result, 1, 1),
    ]  # fmt: skip
