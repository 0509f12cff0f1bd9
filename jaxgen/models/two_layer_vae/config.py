"""The sizes of a VAE of two layers; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class TwoLayerVAEConfig(ModelConfig):
    """A hierarchical VAE of fully connected layers (Burda et al. 2016, section 5)."""

    hidden_sizes: tuple[int, ...] = (200, 200)
    """Widths between image and lower latent; the decoder has them in reverse."""
    latent_size: int = 100
    """Z, the size of the lower latent vector."""
    upper_hidden_sizes: tuple[int, ...] = (100, 100)
    """Widths between the two latents; on the way down in reverse."""
    upper_size: int = 50
    """Y, the size of the upper latent vector."""

    def __post_init__(self):
        for name in ("latent_size", "upper_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        for name in ("hidden_sizes", "upper_hidden_sizes"):
            check(self, name, lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")

    def make(self, image_shape: tuple[int, int, int], outputs: int = 1) -> Any:
        """The module for images of this shape, with so many outputs for each of their numbers."""
        from jaxgen.models.two_layer_vae.model import TwoLayerVAE

        return TwoLayerVAE(self, image_shape, outputs)

    @property
    def width(self) -> int:
        """Of the first hidden layer."""
        return self.hidden_sizes[0]

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "TwoLayerVAEConfig":
        """Every hidden layer of that width, or so many of them in each of the networks."""
        sizes, upper = self.hidden_sizes, self.upper_hidden_sizes
        if width is not None:
            sizes, upper = (width,) * len(sizes), (width,) * len(upper)
        if depth is not None:
            sizes, upper = sizes[:1] * depth, upper[:1] * depth
        return replace(self, hidden_sizes=sizes, upper_hidden_sizes=upper)

    def costs(self, **sizes: Any) -> Any:
        """(encoder's rows, rows of all that follows the lower draw) for batch_size images of a shape."""
        from jaxgen.models.two_layer_vae.costs import two_layer_rows

        return two_layer_rows(self, **sizes)
