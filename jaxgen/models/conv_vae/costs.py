"""What both halves of a convolutional VAE cost.

Letters: H0·W0 the image with C0 channels, H1·W1 the first convolution's result with C1, and so on; N the
numbers of the smallest image, F features, Z latents, M = 2Z; K a kernel's side, S the same made even, so
that it is cut into squares of 2·2; O0 the outputs of all channels. Rows of the matmuls, forward, and as
much again for each gradient:

    convolution 2·B·(H1·W1)·K·K·C0·C1        spread 2·B·(H1·W1)·C1·S·S·C0, each pixel over its kernel
    hidden 2·B·N·F and 2·B·F·M, 2·B·Z·F and 2·B·F·N

`auto` is priced as the patches that a CPU takes, and so is any transposed convolution. Radford et al.
2016, https://arxiv.org/abs/1511.06434.
"""

from jaxgen.costs.convolution import convolution, same_axis
from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul, mlp
from jaxgen.costs.table import Row
from jaxgen.models.conv_vae.config import ConvVAEConfig


def conv_vae_rows(
    config: ConvVAEConfig, *, batch_size: int, shape: tuple[int, ...], outputs: int
) -> tuple[list[Row], list[Row]]:
    """(encoder's rows, decoder's rows), forward and backward."""
    K, Z, depth = config.kernel_size, config.latent_size, len(config.channels)
    sizes = {"B": batch_size, "K": K, "S": K + K % 2, "Z": Z, "M": 2 * Z, "F": config.hidden_size}
    sizes |= {"H0": shape[0], "W0": shape[1], "C0": shape[2], "O0": shape[2] * outputs}
    for layer, channels in enumerate(config.channels, start=1):
        sizes[f"C{layer}"] = channels
        for places, pairs in ("HP", "WQ"):
            axis = same_axis(sizes[f"{places}{layer - 1}"], K, stride=2)
            sizes[f"{places}{layer}"], sizes[f"{pairs}{layer}"] = axis
    height, width = config.smallest(shape)
    sizes["N"] = height * width * config.channels[-1]
    encoder = [elementwise("encoder scaling", sizes, "B·H0·W0·C0", 2, 0)]
    for layer in range(1, depth + 1):
        encoder += _convolution(layer, sizes, native=config.convolution == "native")
    encoder += mlp("encoder", sizes, ("N", "F", "M"))
    decoder = [*mlp("decoder", sizes, ("Z", "F", "N"))]
    for layer in range(depth, 0, -1):
        decoder += _spread(layer, sizes)
    return encoder, decoder


def _convolution(layer: int, sizes: dict[str, int], *, native: bool) -> list[Row]:
    """A convolution of the encoder, its bias and relu."""
    name, places, C = f"convolution {layer}", f"H{layer}·W{layer}", f"C{layer}"
    result = times("B", places, C)
    return [
        *convolution(
            name, sizes, image=f"H{layer - 1}·W{layer - 1}", channels=(f"C{layer - 1}", C),
            places=places, kernel="K·K", pairs=f"P{layer}·Q{layer}", native=native,
            gradients=("kernel",) if layer == 1 else ("input", "kernel"), data=layer == 1,
        ),
        elementwise(f"{name}: bias", sizes, result, 1, 1, parameters=C),
        elementwise(f"{name}: relu", sizes, result, 1, 1),
    ]  # fmt: skip


def _spread(layer: int, sizes: dict[str, int]) -> list[Row]:
    """A relu, then the transposed convolution from the layer-th image's size to the one before's."""
    before, here = f"H{layer}·W{layer}", f"H{layer - 1}·W{layer - 1}"
    inputs, last = f"C{layer}", layer == 1
    features = "O0" if last else f"C{layer - 1}"
    name, spread = f"spread {layer}", times("B", before, "S·S", features)
    return [
        elementwise(f"{name}: relu", sizes, times("B", before, inputs), 1, 1),
        matmul(
            name, sizes, times(spread, inputs), inputs, result=times("B", here, features),
            kernel=times("K·K", inputs, features), kept=True, hidden=not last,
        ),
        elementwise(f"{name}: overlaps added", sizes, spread, 1, 0),
        elementwise(f"{name}: bias", sizes, times("B", here, features), 1, 1, parameters=features),
    ]  # fmt: skip
