"""What a training step of a VAE costs beside its two halves: the draw, the bound, the optimiser."""

from collections.abc import Mapping
from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Row, Table
from jaxgen.models.base import ModelConfig


def vae_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    pixels: int,
    binarise: str,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size images, one draw of z each."""
    encoder, decoder = model.costs(batch_size=batch_size, pixels=pixels)
    sizes = {"B": batch_size, "X": pixels, "Z": model.latent_size}
    rows: list[Row] = []
    if binarise != "no":
        rows.append(elementwise("binarise", sizes, "B·X", 1, 0))
    # halve, exp, product, add; backward: two products and the half for log σ²
    draw = elementwise("reparameterise", sizes, "B·Z", 4, 3, kept="2·B·Z")
    rows += [*encoder, draw, *decoder, *_bound(model.decoder, sizes)]
    return Table("vae", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))


def _bound(likelihood: str, sizes: Mapping[str, int]) -> list[Row]:
    if likelihood == "gaussian":
        # subtract, square, negate, exp, product, + log σ², + log 2π, sum
        density = elementwise("gaussian log density", sizes, "B·X", 8, 5, kept="B·X")
    else:
        # product, softplus (exp, add, log), subtract, sum; backward: sigmoid, subtract, product
        density = elementwise("bernoulli log density", sizes, "B·X", 6, 3)
    return [
        density,
        # square, expm1, add, subtract, sum
        elementwise("KL from the prior", sizes, "B·Z", 5, 4),
        elementwise("negative ELBO and its mean", sizes, "B", 2, 1),
    ]
