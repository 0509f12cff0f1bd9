"""The matmuls of a training step of each model, from sizes alone."""

from collections.abc import Sequence
from itertools import pairwise

from jaxgen.costs.table import Matmul


def gpt_step(*, B: int, T: int, L: int, N: int, D: int, F: int, V: int) -> list[Matmul]:
    """A GPT on B sequences of T tokens; attention over the full T·T square, as it is computed."""
    H = D // N
    tokens = {"B": B, "T": T}
    square = tokens | {"S": T, "N": N, "H": H}
    project = tokens | {"D": D, "N": N, "H": H}
    feed = tokens | {"D": D, "F": F}
    block = {
        "query": project, "key": project, "value": project, "scores": square, "mix": square,
        "attention out": project, "mlp in": feed, "mlp out": feed,
    }  # fmt: skip
    rows = [Matmul(name, sizes | {"L": L}) for name, sizes in block.items()]
    return [*rows, Matmul("head", tokens | {"D": D, "V": V})]


def vae_step(
    *, B: int, pixels: int, hidden_sizes: Sequence[int], Z: int, pixel_outputs: int
) -> list[Matmul]:
    """An MLP VAE on B images; the first layer reads data, which has no gradient."""
    encoder = mlp("encoder", B, [pixels, *hidden_sizes, 2 * Z], first_gradients=1)
    return encoder + mlp("decoder", B, [Z, *reversed(hidden_sizes), pixel_outputs * pixels])


def gan_step(
    *,
    B: int,
    pixels: int,
    Z: int,
    generator_sizes: Sequence[int],
    discriminator_sizes: Sequence[int],
) -> list[Matmul]:
    """An MLP GAN on B images: the discriminator's update on 2·B images, then the generator's on B.

    The discriminator's update needs no gradient of the generator; the generator's goes through the
    discriminator to its input but not to its weights.
    """
    G, D = [Z, *generator_sizes, pixels], [pixels, *discriminator_sizes, 1]
    return [
        *mlp("D update: generator", B, G, gradients=0, first_gradients=0),
        *mlp("D update: discriminator", 2 * B, D, first_gradients=1),
        *mlp("G update: generator", B, G, first_gradients=1),
        *mlp("G update: discriminator", B, D, gradients=1, first_gradients=1),
    ]


def mlp(
    name: str, B: int, widths: Sequence[int], gradients: int = 2, first_gradients: int = 2
) -> list[Matmul]:
    """Fully connected layers from widths[0] to widths[-1]; the first may have fewer gradients."""
    rows = []
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        sizes = {"B": B, f"D{layer}": inputs, f"D{layer + 1}": outputs}
        count = gradients if layer else first_gradients
        rows.append(Matmul(f"{name} layer {layer + 1}", sizes, count))
    return rows
