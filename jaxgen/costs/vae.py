"""What a training step of an MLP VAE costs; `jaxgen/models/vae.py` is the model.

Rows of the matmuls: 2·B·E0·E1 for each layer of the encoder, whose widths are E0 (pixels), E1, ...,
2Z, and of the decoder, D0 = Z, D1, ..., the pixels' outputs. The first layer reads data, which has
no gradient. Kingma & Welling 2014, https://arxiv.org/abs/1312.6114.
"""

from typing import Protocol, runtime_checkable

from jaxgen.costs.rows import AdamSizes, adam, elementwise, mlp
from jaxgen.costs.table import Row, Table


@runtime_checkable  # so that beartype can check it in tests
@runtime_checkable  # so that beartype can check it in tests
class VAESizes(Protocol):
    """The fields of a VAE's config that decide its cost (`jaxgen.models.vae_config.VAEConfig`)."""

    hidden_sizes: tuple[int, ...]
    latent_size: int
    decoder: str


def vae_step(
    config: VAESizes,
    optimizer: AdamSizes,
    *,
    batch_size: int,
    pixels: int,
    binarise: str,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size images, one draw of z each."""
    gaussian = config.decoder == "gaussian"
    Z = config.latent_size
    encoder = [pixels, *config.hidden_sizes, 2 * Z]
    decoder = [Z, *reversed(config.hidden_sizes), (2 if gaussian else 1) * pixels]
    sizes = {"B": batch_size, "X": pixels, "Z": Z}
    sizes |= {f"E{layer}": width for layer, width in enumerate(encoder)}
    sizes |= {f"D{layer}": width for layer, width in enumerate(decoder)}
    encoder_letters = [f"E{layer}" for layer in range(len(encoder))]
    decoder_letters = [f"D{layer}" for layer in range(len(decoder))]
    rows: list[Row] = []
    if binarise != "no":
        rows.append(elementwise("binarise", sizes, "B·X", 1, 0))
    rows += mlp("encoder", sizes, encoder_letters, first_gradients=("kernel",), data=True)
    # halve, exp, product, add; backward: two products and the half for log σ²
    rows.append(elementwise("reparameterise", sizes, "B·Z", 4, 3, kept="2·B·Z"))
    rows += mlp("decoder", sizes, decoder_letters)
    if gaussian:
        # subtract, square, negate, exp, product, + log σ², + log 2π, sum
        rows.append(elementwise("gaussian log density", sizes, "B·X", 8, 5, kept="B·X"))
    else:
        # product, softplus (exp, add, log), subtract, sum; backward: sigmoid, subtract, product
        rows.append(elementwise("bernoulli log density", sizes, "B·X", 6, 3))
    # square, expm1, add, subtract, sum
    rows.append(elementwise("KL from the prior", sizes, "B·Z", 5, 4))
    rows.append(elementwise("negative ELBO and its mean", sizes, "B", 2, 1))
    return Table("vae", (*rows, *adam(rows, optimizer, ema=ema)))
