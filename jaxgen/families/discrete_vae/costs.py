"""What a training step of a discrete autoencoder costs beside its halves: codes, loss, optimiser.

Nearest codes: 2·B·I·J·V·D for the products with all codes, which have no gradient, and as much for the
sums of what each code stands for. Drawn codes: as much for their mixture, and its gradient by both.
"""

from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row, Table
from jaxgen.models.base import ModelConfig


def discrete_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    shape: tuple[int, int, int],
    quantiser: str,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size images of that shape."""
    V, D = model.num_codes, model.code_size
    outputs = D if quantiser == "vector" else V
    encoder, decoder = model.costs(batch_size=batch_size, shape=shape, outputs=outputs)
    sizes = dict(encoder[0].sizes) | {"V": V, "D": D}
    pixels = "B·H0·W0·E0"
    rows = [
        *encoder,
        *(_nearest(sizes) if quantiser == "vector" else _drawn(sizes)),
        *decoder,
        # subtract, square, negate, exp, product, + log σ², + log 2π, sum
        elementwise("gaussian log density", sizes, pixels, 8, 4, kept=pixels),
        elementwise("sum and mean over images", sizes, "B", 2, 1),
    ]
    return Table("discrete-vae", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))


def _nearest(sizes: dict[str, int]) -> list[Row]:
    places = "B·I·J"
    return [
        matmul(
            "products with codes", sizes, "B·I·J·V·D", "D", result="B·I·J·V", gradients=(),
            kept=False,
        ),
        # a product, a difference, a sum, at least 0, the least of all; squares of vectors and codes
        elementwise("nearest code", sizes, "B·I·J·V", 5, 0),
        matmul(
            "sums of codes", sizes, "B·I·J·V·D", "B·I·J", result="V·D", gradients=(), kept=False
        ),
        elementwise("averages", sizes, "V·D", 6, 0),
        # subtract, square, sum, weight; straight through: subtract, add
        elementwise("commitment, straight through", sizes, f"{places}·D", 6, 3),
    ]  # fmt: skip


def _drawn(sizes: dict[str, int]) -> list[Row]:
    return [
        # add, divide, max, subtract, exp, sum, divide; the KL's log-softmax, exp, product, sum
        elementwise("gumbel-softmax and KL", sizes, "B·I·J·V", 15, 14, kept="2·B·I·J·V"),
        matmul("mixture of codes", sizes, "B·I·J·V·D", "V", result="B·I·J·D", kernel="V·D"),
    ]
