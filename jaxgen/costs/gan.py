"""What a training step of an MLP GAN costs: both players' updates; `jaxgen/models/gan.py` is the model.

Widths: G0 = Z, G1, ..., pixels for the generator; D0 (pixels), D1, ..., 1 for the discriminator.
The discriminator's update runs it on B real and on B generated images, and needs no gradient of the
generator. The generator's update goes back through the discriminator to the discriminator's input, but
not to its weights. Goodfellow et al. 2014, algorithm 1 with k = 1, https://arxiv.org/abs/1406.2661.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxgen.costs.formula import times
from jaxgen.costs.rows import AdamSizes, adam, elementwise, mlp
from jaxgen.costs.table import Cost, Row, Table


@runtime_checkable  # so that beartype can check it in tests
class GANSizes(Protocol):
    """The fields of a GAN's config that decide its cost (`jaxgen.models.gan_config.GANConfig`)."""

    latent_size: int
    generator_sizes: tuple[int, ...]
    discriminator_sizes: tuple[int, ...]
    discriminator_dropout: float


# Operations on each pair of logits in the discriminator's loss, forward and backward, then on each
# logit in the generator's. A softplus is exp, add, log; its gradient a sigmoid and a product.
LOSS_OPERATIONS = {
    "non-saturating": ((8, 5), (4, 3)),
    "saturating": ((8, 5), (4, 3)),
    "wasserstein": ((1, 1), (1, 1)),
}
SMOOTHED_OPERATIONS = (21, 16)  # four softplus, weighed


def gan_step(
    config: GANSizes,
    optimizer: AdamSizes,
    *,
    batch_size: int,
    pixels: int,
    loss: str = "non-saturating",
    label_smoothing: str = "none",
    ema: bool = False,
) -> Table:
    """The table of one training step: the discriminator's update, then the generator's."""
    generator = [config.latent_size, *config.generator_sizes, pixels]
    discriminator = [pixels, *config.discriminator_sizes, 1]
    sizes = {"B": batch_size, "X": pixels, "Z": config.latent_size}
    sizes |= {f"G{layer}": width for layer, width in enumerate(generator)}
    sizes |= {f"D{layer}": width for layer, width in enumerate(discriminator)}
    G = [f"G{layer}" for layer in range(len(generator))]
    D = [f"D{layer}" for layer in range(len(discriminator))]
    critic, generated = LOSS_OPERATIONS[loss]
    if label_smoothing != "none":
        critic = SMOOTHED_OPERATIONS

    def judged(name, gradients, first_gradients, **how):
        rows = mlp(name, sizes, D, gradients=gradients, first_gradients=first_gradients, **how)
        return rows + _dropout(name, config, sizes, D)

    # Real and generated images share one reading of the discriminator's parameters.
    d_rows = [
        *mlp("D update: generator", sizes, G, gradients=(), first_gradients=(), owned=False),
        elementwise("D update: sigmoid", sizes, "B·X", 1, 0),
        *judged("D update: real", ("input", "kernel"), ("kernel",), data=True),
        *judged("D update: generated", ("input", "kernel"), ("kernel",), reads_kernel=False),
        elementwise("D update: loss", sizes, "B", *critic),
    ]
    g_rows = [
        *mlp("G update: generator", sizes, G, first_gradients=("kernel",)),
        elementwise("G update: sigmoid", sizes, "B·X", 1, 3),
        *judged("G update: discriminator", ("input",), None, owned=False),
        elementwise("G update: loss", sizes, "B", *generated),
    ]
    d_rows += adam(d_rows, optimizer, suffix="D", name="D update: Adam", ema=ema)
    if loss == "wasserstein":  # two comparisons of each weight, fused with the update
        clipped = Cost(times(2, "PD"))
        d_rows.append(
            Row("D update: clip weights", "elementwise", d_rows[-1].sizes, update=clipped)
        )
    g_rows += adam(g_rows, optimizer, suffix="G", name="G update: Adam", ema=ema)
    return Table("gan", (*d_rows, *g_rows))


def _dropout(name: str, config: GANSizes, sizes: Mapping[str, int], D: list[str]) -> list[Row]:
    """Scale and select after each hidden layer; the mask is kept, a byte an element."""
    if not config.discriminator_dropout:
        return []
    return [
        elementwise(
            f"{name} dropout {layer}", sizes, times("B", width), 2, 2,
            kept=times("B", width), item_bytes=1,
        )
        for layer, width in enumerate(D[1:-1], start=1)
    ]  # fmt: skip
