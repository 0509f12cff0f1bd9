"""The sizes of a DCGAN; apart from its modules so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import Labels, ModelConfig, smallest

Form = Literal["auto", "native", "patches"]


@dataclass(frozen=True)
class DCGANConfig(ModelConfig):
    """Strided convolutions one way, transposed ones the other (Radford et al. 2016)."""

    latent_size: int = 100
    """Z, the size of the noise vector."""
    channels: tuple[int, ...] = (64, 128)
    """Of the discriminator's convolutions, each of which halves height and width; the generator has
    them the other way round: (64, 128) for 28 x 28, one more for 32 x 32, two more for 64 x 64."""
    kernel_size: int = 4
    """K, pixels of a kernel's side."""
    generator_norm: Literal["batch", "none"] = "batch"
    """What follows the generator's hidden layers."""
    discriminator_norm: Literal["batch", "none"] = "batch"
    """What follows the discriminator's convolutions but the first; a penalty on slopes wants none."""
    labels: Labels = "none"
    """Tell both players the class: the generator beside its noise; the discriminator as one more plane
    of the image (embedding), or as a product with its last features (projection)."""
    label_size: int = 32
    """E, numbers of a class's embedding beside the noise."""
    convolution: Form = "auto"
    """The platform's own, or patches and a matmul; auto takes patches on a CPU, else native."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        check(self, "channels", lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "label_size", lambda x: x >= 1, "1 or more", "model.")
        check(self, "kernel_size", lambda x: x >= 2, "2 or more, the stride", "model.")

    def make(self, shape: tuple[int, ...], num_classes: int = 0) -> Any:
        """(generator, discriminator) for images of this shape.

        num_classes: read where players are told the class. Raises UserError where its sides cannot be
        halved as often as there are convolutions.
        """
        from jaxgen.models.dcgan.model import DCGANDiscriminator, DCGANGenerator

        self.smallest(shape)
        return DCGANGenerator(self, shape, num_classes), DCGANDiscriminator(self, num_classes)

    def smallest(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width beneath all convolutions."""
        return smallest(shape, len(self.channels))

    @property
    def width(self) -> int:
        """Channels of the discriminator's first convolution."""
        return self.channels[0]

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "DCGANConfig":
        """Every convolution of that many channels, or so many as wide as the first."""
        channels = self.channels if width is None else (width,) * len(self.channels)
        return replace(self, channels=channels if depth is None else channels[:1] * depth)

    def costs(self, **sizes: Any) -> Any:
        """The rows of each pass of each player, see `costs.PlayerRows`."""
        from jaxgen.models.dcgan.costs import PlayerRows

        return PlayerRows(self, **sizes)
