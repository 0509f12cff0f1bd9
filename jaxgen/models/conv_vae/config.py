"""The sizes of a convolutional VAE; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig, smallest


@dataclass(frozen=True)
class ConvVAEConfig(ModelConfig):
    """A variational autoencoder of strided convolutions and transposed ones."""

    channels: tuple[int, ...] = (32, 64)
    """Of the encoder's convolutions, each of which halves height and width; the decoder has them the
    other way round."""
    kernel_size: int = 4
    """K, pixels of a kernel's side."""
    hidden_size: int = 256
    """F, features between the smallest image and the latent, both ways."""
    latent_size: int = 20
    """Z, the size of the latent vector."""
    convolution: Literal["auto", "native", "patches"] = "auto"
    """The platform's own, or patches and a matmul; auto takes patches on a CPU, else native."""

    def __post_init__(self):
        check(self, "channels", lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "kernel_size", lambda x: x >= 2, "2 or more, the stride", "model.")
        for name in ("hidden_size", "latent_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")

    def make(self, image_shape: tuple[int, int, int], outputs: int = 1) -> Any:
        """The module for images of this shape, with so many outputs for each of their numbers.

        Raises UserError where its sides cannot be halved as often as there are convolutions.
        """
        from jaxgen.models.conv_vae.model import ConvVAE

        self.smallest(image_shape)
        return ConvVAE(self, image_shape, outputs)

    def smallest(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width beneath all convolutions."""
        return smallest(shape, len(self.channels))

    @property
    def width(self) -> int:
        """Channels of the first convolution."""
        return self.channels[0]

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "ConvVAEConfig":
        """Every convolution of that many channels, or so many as wide as the first."""
        channels = self.channels if width is None else (width,) * len(self.channels)
        return replace(self, channels=channels if depth is None else channels[:1] * depth)

    def costs(self, **sizes: Any) -> Any:
        """(encoder's rows, decoder's rows) for batch_size images of a shape."""
        from jaxgen.models.conv_vae.costs import conv_vae_rows

        return conv_vae_rows(self, **sizes)
