"""What a training step of a VAE costs beside its networks: the draws, the bound, the optimiser."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Cost, Row, Table
from jaxgen.families.vae.names import outputs_of
from jaxgen.models.base import ModelConfig


def vae_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    binarise: str,
    likelihood: str = "bernoulli",
    levels: int = 0,
    estimator: str = "elbo",
    samples: int = 1,
    kl: str = "analytic",
    ema: bool = False,
) -> Table:
    """The table of one training step on B = batch_size images, `samples` draws of z each: R in all."""
    outputs = outputs_of(likelihood, levels)
    encoder, decoder = model.costs(batch_size=batch_size, shape=shape, outputs=outputs)
    upper = getattr(model, "upper_size", 0)
    sizes = {"B": batch_size, "X": math.prod(shape), "O": outputs, "Z": model.latent_size + upper}
    rows: list[Row] = []
    if binarise in ("threshold", "once", "draw"):
        rows.append(elementwise("binarise", sizes, "B·X", 1, 0))
    # halve, exp, product, add; backward: two products and the half for log σ²
    draw = elementwise("reparameterise", sizes, "B·Z", 4, 3, kept="2·B·Z")
    of_draws = [draw, *decoder, _density(likelihood, sizes)]
    if estimator == "elbo" and kl == "analytic" and not upper:
        # square, expm1, add, subtract, sum
        divergence = elementwise("KL from the prior", sizes, "B·Z", 5, 4)
    else:
        # log q and log p: subtract, square, negate, exp, product, two sums each
        divergence = elementwise("log q - log p", sizes, "B·Z", 14, 10)
    if estimator == "elbo":
        bound = elementwise("negative ELBO and its mean", sizes, "B", 2, 1)
    else:
        bound = elementwise("log weights and their mean", sizes, "B", 8, 4)
    of_draws += [divergence, bound]
    if samples > 1:
        of_draws = [_renamed(row, "B", "R", batch_size * samples) for row in of_draws]
    rows += [*encoder, *of_draws]
    return Table("vae", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))


def _density(likelihood: str, sizes: Mapping[str, int]) -> Row:
    name = f"{likelihood} log density"
    match likelihood:
        case "bernoulli":
            # product, softplus (exp, add, log), subtract, sum; backward: sigmoid, subtract, product
            return elementwise(name, sizes, "B·X", 6, 3)
        case "categorical":
            # maximum, subtract, exp, sum, the label's; backward: softmax, subtract, product
            return elementwise(name, sizes, "B·X·O", 5, 4)
        case "logistic":
            return elementwise(name, sizes, "B·X", 23, 26)
    # subtract, square, negate, exp, product, + log σ², + log 2π, sum
    own = "1" if likelihood == "gaussian-learned" else ""
    return elementwise(name, sizes, "B·X", 8, 5, kept="B·X", parameters=own)


def _renamed(row: Row, letter: str, new: str, size: int) -> Row:
    """The row with another letter of another size in the place of one."""

    def text(formula: str) -> str:
        return re.sub(rf"\b{letter}\b", new, formula)

    def cost(phase: Cost) -> Cost:
        return Cost(text(phase.flops), text(phase.bytes))

    sizes = {name: value for name, value in row.sizes.items() if name != letter} | {new: size}
    return replace(
        row, sizes=sizes, forward=cost(row.forward), backward=cost(row.backward),
        activation_bytes=text(row.activation_bytes),
    )  # fmt: skip
