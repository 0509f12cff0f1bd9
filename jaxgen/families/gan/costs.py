"""What a training step of a GAN costs: both players' updates.

The discriminator's update runs it on B real and on B generated images, and needs no gradient of the
generator. The generator's update goes back through the discriminator to the discriminator's input, but
not to its weights. Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jaxgen.costs.formula import times
from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Cost, Row, Table
from jaxgen.families.gan.names import CLIPPED
from jaxgen.models.base import ModelConfig

# Operations on each pair of logits in the discriminator's loss, forward and backward, then on each
# logit in the generator's. A softplus is exp, add, log; its gradient a sigmoid and a product.
LOSS_OPERATIONS = {
    "non-saturating": ((8, 5), (4, 3)),
    "saturating": ((8, 5), (4, 3)),
    "wasserstein": ((1, 1), (1, 1)),
    "wasserstein-gp": ((1, 1), (1, 1)),
    "hinge": ((5, 3), (1, 1)),
    "least-squares": ((6, 4), (3, 2)),
}
MENDED = {  # a mistake costs what its correction does
    "gan.minimax:as-printed": "saturating",
    "gan.wasserstein-value:as-printed": "wasserstein",
    "gan.wasserstein-critic-loss:as-printed": "wasserstein",
    "gan.label-smoothing:as-printed": "non-saturating",
}
CHANGE_OPERATIONS = {  # on each number of an image, forward and in its gradient
    "color": (5, 3),  # brighter; mean, distance, factor, sum
    "translation": (0, 0),  # it moves, and computes nothing
    "cutout": (1, 1),
}
SIDES = ("real", "generated")
SMOOTHED_OPERATIONS = (21, 16)  # four softplus, weighed


def gan_step(
    model: ModelConfig,
    optimizers: Mapping[str, Any],
    *,
    batch_size: int,
    shape: tuple[int, ...],
    loss: str = "non-saturating",
    label_smoothing: str = "none",
    discriminator_steps: int = 1,
    ema: bool = False,
    pack: int = 1,
    penalties: Sequence[str] = (),
    noise: bool = False,
    spectral_norm: bool = False,
    num_classes: int = 0,
    changes: Sequence[str] = (),
) -> Table:
    """The table of one training step: the discriminator's updates, then the generator's.

    Args:
      pack: examples that are judged together, with one logit.
      penalties: names of those on slopes, one for each place where they are taken.
      noise: what is judged has noise added. spectral_norm: kernels are divided by their norms.
      num_classes: that both players are told; 0: none. changes: what is judged goes through before, see
        `augmentation`.
    """
    told = {"num_classes": num_classes} if num_classes else {}
    rows = model.costs(batch_size=batch_size, shape=shape, pack=pack, **told)
    sizes = {"B": batch_size // pack}
    critic, generated = LOSS_OPERATIONS[MENDED.get(loss, loss)]
    if label_smoothing != "none" or loss == "gan.label-smoothing:as-printed":
        critic = SMOOTHED_OPERATIONS
    each = times("B", *map(str, shape), str(pack))
    noisy = [elementwise(own, sizes, each, *CHANGE_OPERATIONS[own]) for own in changes]
    noisy += [elementwise("noise", sizes, each, 2, 1)] if noise else []
    norms = _norm_rows("G update", rows, 1) if spectral_norm else []
    g_rows = [
        *(replace(row, name=f"G update: {row.name}") for row in noisy),
        *norms,
        *rows.generator("G update: generator", trained=True),
        *rows.discriminator("G update: discriminator", trained=False),
        elementwise("G update: loss", sizes, "B", *generated),
    ]
    g_rows += optimizer_rows(g_rows, optimizers["generator"], suffix="G", name="G update", ema=ema)
    d_rows = []
    for i in range(discriminator_steps):
        last = i == discriminator_steps - 1  # the average comes once a step
        name = "D update" if discriminator_steps == 1 else f"D update {i + 1}"
        update = _discriminator_update(
            name, rows, sizes, critic, optimizers["discriminator"],
            clips=loss in CLIPPED, ema=ema and last,
            steadied=[
                *(replace(row, name=f"{name}: {row.name} {side}") for side in SIDES for row in noisy),
                *(row for own in penalties for row in rows.slopes(f"{name}: {own}")),
                *(_norm_rows(name, rows, 3) if spectral_norm else []),
            ],
        )  # fmt: skip
        # The parameters and their moments are counted once.
        again = [replace(row, parameters="0", state_bytes="0") for row in update]
        d_rows += update if i == 0 else again
    return Table("gan", (*d_rows, *g_rows))


def _discriminator_update(
    name: str,
    rows: Any,
    sizes: Mapping[str, int],
    operations: tuple[int, int],
    optimizer: Any,
    *,
    clips: bool,
    ema: bool,
    steadied: list[Row],
) -> list[Row]:
    # Real and generated images share one reading of the discriminator's parameters.
    found = [
        *rows.generator(f"{name}: generator", trained=False),
        *rows.discriminator(f"{name}: real", trained=True, data=True),
        *rows.discriminator(f"{name}: generated", trained=True, reads_kernel=False),
        elementwise(f"{name}: loss", sizes, "B", *operations),
        *steadied,
    ]
    found += optimizer_rows(found, optimizer, suffix="D", name=name, ema=ema)
    if clips:  # two comparisons of each weight, fused with the update
        clipped = Cost(times(2, "PD"))
        found.append(Row(f"{name}: clip weights", "elementwise", found[-1].sizes, update=clipped))
    return found


def _norm_rows(name: str, rows: Any, products: int) -> list[Row]:
    """Every kernel times a vector so often, then its norm by an inner product, and the quotient."""
    made = []
    for inputs, outputs in rows.kernels:
        own, how = f"{name}: norm of {inputs} by {outputs}", {"gradients": (), "kept": False}
        product = times(products, inputs, outputs)
        made += [
            matmul(f"{own}, products", rows.sizes, product, outputs, result=inputs, **how),
            matmul(f"{own}, inner", rows.sizes, inputs, inputs, result="", **how),
            elementwise(f"{own}, quotient", rows.sizes, times(inputs, outputs), 1, 3),
        ]
    return made
