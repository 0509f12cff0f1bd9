"""The sizes of an MLP VAE; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class MLPVAEConfig(ModelConfig):
    """An MLP variational autoencoder (Kingma & Welling 2014, appendix C)."""

    hidden_sizes: tuple[int, ...] = (400,)
    """Widths of the encoder's hidden layers; the decoder has them in reverse. None at all: a linear VAE,
    which with a Gaussian likelihood of one variance is probabilistic PCA (Tipping & Bishop 1999)."""
    latent_size: int = 20
    """Z, the size of the latent vector."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        check(
            self, "hidden_sizes", lambda x: min(x, default=1) >= 1, "widths of 1 or more", "model."
        )

    def make(self, image_shape: tuple[int, int, int], outputs: int = 1) -> Any:
        """The module for images of this shape, with so many outputs for each of their numbers."""
        from jaxgen.models.mlp_vae.model import MLPVAE

        return MLPVAE(self.hidden_sizes, self.latent_size, image_shape, outputs)

    @property
    def width(self) -> int:
        """Of the first hidden layer; of a linear VAE the latent's."""
        return self.hidden_sizes[0] if self.hidden_sizes else self.latent_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "MLPVAEConfig":
        """Every hidden layer of that width, or so many as wide as the first."""
        sizes = self.hidden_sizes if width is None else (width,) * len(self.hidden_sizes)
        return replace(self, hidden_sizes=sizes if depth is None else sizes[:1] * depth)

    def costs(self, **sizes: Any) -> Any:
        """(encoder's rows, decoder's rows) for batch_size images of a shape."""
        from jaxgen.models.mlp_vae.costs import autoencoder_rows

        return autoencoder_rows(self, **sizes)
