"""The loss of an autoencoder whose latents are codes.

    (1) −log p(x|q) + β |z − sg(q)|²           vector-quantised: van den Oord et al. 2017, eq. (3)
    (2) −log p(x|q) + w KL(q(k|x) ‖ uniform)   drawn: Ramesh et al. 2021, section 2.1

p(x|q) is a Gaussian with one fixed deviation for all pixels. In (1) the codebook follows averages.

In the catalogue: `tokens.perplexity`, `vae.decoder`.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import vae
from jaxgen.equations import vector_quantisation as vq
from jaxgen.families.discrete_vae.module import GridAutoencoder
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def reconstruction_nats(
    image: Float[Array, "B height width C"],
    decoded: Float[Array, "B height width C"],
    log_variance: float,
) -> Float[Array, " B"]:
    """−log p(x|q) of each image, all pixels together."""
    rows, mean = (each.reshape(each.shape[0], -1) for each in (image, decoded))
    return -vae.gaussian_log_density(rows, mean, jnp.full_like(mean, log_variance))


def make_discrete_loss(model: GridAutoencoder, quantiser: Any, log_variance: float) -> Callable:
    """`loss(params, extra, batch, keys)` in nats an image; beside it what it is made of.

    `perplexity` is of the whole batch's codes.
    """

    def loss(params, extra, batch, keys):
        features = model.apply({"params": params["model"]}, batch["image"], method="encode")
        found = quantiser.train(params["quantiser"], extra, features, keys)
        decoded = model.apply({"params": params["model"]}, found.grid, method="decode")
        nats = reconstruction_nats(batch["image"], decoded, log_variance)
        losses = nats + found.price
        metrics = {
            "loss": Mean.of(losses),
            "reconstruction_nats": Mean.of(nats),
            "price_nats": Mean.of(found.price),
            "perplexity": Mean.of(vq.perplexity(found.counts)),
        }
        metrics |= {name: Mean.of(value) for name, value in found.others.items()}
        return losses.mean(), Aux(metrics, found.extra)

    return loss
