"""The sizes of a VAE; apart from `vae.py` so that help and costs need no jax."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.errors import check


@dataclass(frozen=True)
class VAEConfig:
    """An MLP variational autoencoder (Kingma & Welling 2014, appendix C)."""

    hidden_sizes: tuple[int, ...] = (400,)
    """Widths of the encoder's hidden layers; the decoder has them in reverse."""
    latent_size: int = 20
    """Z, the size of the latent vector."""
    decoder: Literal["bernoulli", "gaussian"] = "bernoulli"
    """p(x|z): one logit per pixel, or one mean and one log-variance per pixel."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        check(self, "hidden_sizes", lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
