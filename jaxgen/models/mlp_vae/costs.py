"""What both halves of an MLP VAE cost.

Rows of the matmuls: 2·B·E0·E1 for each layer of the encoder, whose widths are E0 (pixels), E1, ...,
2Z, and of the decoder, D0 = Z, D1, ..., the pixels' outputs. The first layer reads data, which has
no gradient. Kingma & Welling 2014, https://arxiv.org/abs/1312.6114.
"""

import math

from jaxgen.costs.rows import mlp
from jaxgen.costs.table import Row
from jaxgen.models.mlp_vae.config import MLPVAEConfig


def autoencoder_rows(
    config: MLPVAEConfig, *, batch_size: int, shape: tuple[int, ...], outputs: int
) -> tuple[list[Row], list[Row]]:
    """(encoder's rows, decoder's rows), forward and backward."""
    Z, pixels = config.latent_size, math.prod(shape)
    encoder = [pixels, *config.hidden_sizes, 2 * Z]
    decoder = [Z, *reversed(config.hidden_sizes), outputs * pixels]
    sizes = {"B": batch_size, "X": pixels, "Z": Z}
    sizes |= {f"E{layer}": width for layer, width in enumerate(encoder)}
    sizes |= {f"D{layer}": width for layer, width in enumerate(decoder)}
    letters = [f"E{layer}" for layer in range(len(encoder))]
    encoder_rows = mlp("encoder", sizes, letters, first_gradients=("kernel",), data=True)
    return encoder_rows, mlp("decoder", sizes, [f"D{layer}" for layer in range(len(decoder))])
