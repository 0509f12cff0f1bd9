"""What both halves of a grid autoencoder cost.

Letters: H0·W0 the image, H1·W1 and so on after each strided convolution of the encoder, the last one I·J
the grid; E0, E1, ... channels there; O numbers that the encoder gives a place, D numbers of a code;
C0, C1, ... channels on the decoder's way back, G0·U0 (the grid), G1·U1, ... its sizes; K a strided
kernel's side, S the same made even. Rows of the matmuls, as patches, forward, and as much again for each
gradient:

    encoder 2·B·(H'·W')·K·K·E·E'    block 2·B·(I·J)·(3·3 + 1)·C·C    out 2·B·(I·J)·C·O
    decoder in 2·B·(I·J)·3·3·D·C    spread 2·B·(G·U)·C·S·S·C', each place over its kernel

van den Oord et al. 2017, https://arxiv.org/abs/1711.00937.
"""

from jaxgen.costs.convolution import convolution, same_axis
from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig


def autoencoder_rows(
    config: GridAutoencoderConfig, *, batch_size: int, shape: tuple[int, int, int], outputs: int
) -> tuple[list[Row], list[Row]]:
    """(the encoder's rows, the decoder's), forward and backward; `auto` is priced as a CPU's patches."""
    K, depth = config.kernel_size, len(config.channels)
    sizes = {"B": batch_size, "K": K, "S": K + K % 2, "three": 3, "one": 1}
    sizes |= {"H0": shape[0], "W0": shape[1], "E0": shape[2], "O": outputs, "D": config.code_size}
    for layer, channels in enumerate(config.channels, start=1):
        sizes[f"E{layer}"] = channels
        for places, pairs in ("HM", "WN"):
            axis = same_axis(sizes[f"{places}{layer - 1}"], K, stride=2)
            sizes[f"{places}{layer}"], sizes[f"{pairs}{layer}"] = axis
    for places, size in (("I", f"H{depth}"), ("J", f"W{depth}")):
        sizes[places] = sizes[size]
        sizes[f"{places}3"] = same_axis(sizes[size], 3, 1).pairs
    for layer, channels in enumerate((*config.channels[::-1], shape[2])):
        sizes |= {f"G{layer}": sizes["I"] * 2**layer, f"U{layer}": sizes["J"] * 2**layer}
        sizes[f"C{layer}"] = channels
    native, encoder, decoder = config.convolution == "native", [], []
    for layer in range(1, depth + 1):
        name, places = f"encoder convolution {layer}", f"H{layer}·W{layer}"
        encoder += convolution(
            name, sizes, image=f"H{layer - 1}·W{layer - 1}", channels=(f"E{layer - 1}", f"E{layer}"),
            places=places, kernel="K·K", pairs=f"M{layer}·N{layer}", native=native,
            gradients=("kernel",) if layer == 1 else ("input", "kernel"), data=layer == 1,
        )  # fmt: skip
        relu = layer < depth
        encoder += _after(name, sizes, places, f"E{layer}", relu=relu)
    encoder += _blocks(config, "encoder", sizes, f"E{depth}", native)
    encoder.append(elementwise("encoder relu", sizes, times("B·I·J", f"E{depth}"), 1, 1))
    encoder += _on_grid("encoder out", sizes, (f"E{depth}", "O"), "one", native)
    decoder += _on_grid("decoder in", sizes, ("D", "C0"), "three", native)
    decoder += _blocks(config, "decoder", sizes, "C0", native)
    for layer in range(depth):
        decoder += _spread(layer, sizes)
    return encoder, decoder


def _after(name: str, sizes: dict[str, int], places: str, C: str, *, relu: bool) -> list[Row]:
    """A bias, and relu where there is one."""
    result = times("B", places, C)
    rows = [elementwise(f"{name}: bias", sizes, result, 1, 1, parameters=C)]
    return [*rows, elementwise(f"{name}: relu", sizes, result, 1, 1)] if relu else rows


def _on_grid(
    name: str, sizes: dict[str, int], channels: tuple[str, str], side: str, native: bool
) -> list[Row]:
    """A convolution of the grid with its bias, 3 x 3 or 1 x 1."""
    rows = convolution(
        name, sizes, image="I·J", channels=channels, places="I·J", kernel=f"{side}·{side}",
        pairs="I3·J3" if side == "three" else "I·J", native=native,
    )  # fmt: skip
    return [*rows, *_after(name, sizes, "I·J", channels[1], relu=False)]


def _blocks(
    config: GridAutoencoderConfig, half: str, sizes: dict[str, int], C: str, native: bool
) -> list[Row]:
    rows: list[Row] = []
    for block in range(config.num_blocks):
        name, result = f"{half} block {block + 1}", times("B·I·J", C)
        rows += [
            elementwise(f"{name} relu", sizes, result, 1, 1),
            *_on_grid(f"{name} near", sizes, (C, C), "three", native),
            elementwise(f"{name} inner relu", sizes, result, 1, 1),
            *_on_grid(f"{name} out", sizes, (C, C), "one", native),
            elementwise(f"{name} residual", sizes, result, 1, 1),
        ]
    return rows


def _spread(layer: int, sizes: dict[str, int]) -> list[Row]:
    """A transposed convolution: each place spread over its kernel, and overlaps added."""
    name, before = f"decoder spread {layer + 1}", f"G{layer}·U{layer}"
    here, (inputs, outputs) = f"G{layer + 1}·U{layer + 1}", (f"C{layer}", f"C{layer + 1}")
    spread = times("B", before, "S·S", outputs)
    return [
        elementwise(f"{name} relu", sizes, times("B", before, inputs), 1, 1),
        matmul(
            name, sizes, times(spread, inputs), inputs, result=times("B", here, outputs),
            kernel=times("K·K", inputs, outputs),
        ),
        elementwise(f"{name}: overlaps added", sizes, spread, 1, 0),
        *_after(name, sizes, here, outputs, relu=False),
    ]  # fmt: skip
