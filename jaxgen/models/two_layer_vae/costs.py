"""What the networks of a VAE of two stochastic layers cost.

Rows of the matmuls: 2·B·E0·E1 for each layer of the encoder, from E0 pixels to 2Z; the same for U (up)
and V (down) between the latents, Z to 2Y and Y to 2Z, and D for the decoder, Z to the pixels' outputs.
Burda et al. 2016, https://arxiv.org/abs/1509.00519.
"""

import math

from jaxgen.costs.rows import mlp
from jaxgen.costs.table import Row
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig


def two_layer_rows(
    config: TwoLayerVAEConfig, *, batch_size: int, shape: tuple[int, ...], outputs: int
) -> tuple[list[Row], list[Row]]:
    """(encoder's rows, rows of all that follows the lower draw), forward and backward."""
    Z, Y, pixels = config.latent_size, config.upper_size, math.prod(shape)
    lower, upper = config.hidden_sizes, config.upper_hidden_sizes
    widths = {
        "E": ("encoder", [pixels, *lower, 2 * Z]),
        "U": ("upper encoder", [Z, *upper, 2 * Y]),
        "V": ("upper decoder", [Y, *upper[::-1], 2 * Z]),
        "D": ("decoder", [Z, *lower[::-1], outputs * pixels]),
    }
    rows = {}
    for letter, (name, sizes) in widths.items():
        letters = [f"{letter}{layer}" for layer in range(len(sizes))]
        own = {"B": batch_size, "X": pixels, "Z": Z, "Y": Y} | dict(
            zip(letters, sizes, strict=True)
        )
        data = letter == "E"
        first = ("kernel",) if data else None
        rows[letter] = mlp(name, own, letters, first_gradients=first, data=data)
    return rows["E"], [*rows["U"], *rows["V"], *rows["D"]]
