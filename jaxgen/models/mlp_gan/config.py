"""The sizes of an MLP GAN; apart from its modules so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import Labels, ModelConfig


@dataclass(frozen=True)
class MLPGANConfig(ModelConfig):
    """The MLP GAN of document 002, 5.2; its sizes for 28x28 images are the defaults."""

    latent_size: int = 100
    """Z, the size of the noise vector."""
    generator_sizes: tuple[int, ...] = (256, 512)
    """Widths of the generator's hidden layers; its output has one unit per pixel."""
    discriminator_sizes: tuple[int, ...] = (512, 256)
    """Widths of the discriminator's hidden layers; its output is one logit."""
    discriminator_dropout: float = 0.0
    """Probability of dropping a hidden unit of the discriminator while training."""
    output: Literal["pixels", "numbers"] = "pixels"
    """What the generator makes: pixels in [0, 1], behind a sigmoid, or numbers, for points."""
    labels: Labels = "none"
    """Tell both players the class: the generator beside its noise; the discriminator beside the example
    (embedding), or as a product with its last features (projection)."""
    label_size: int = 32
    """E, numbers of a class's embedding."""
    waves: int = 0
    """K, pairs of sine and cosine of each number beside it in what the discriminator sees; for points,
    whose details are fine."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        for name in ("generator_sizes", "discriminator_sizes"):
            check(self, name, lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "discriminator_dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
        check(self, "label_size", lambda x: x >= 1, "1 or more", "model.")
        check(self, "waves", lambda x: 0 <= x <= 12, "0 to 12", "model.")

    def make(self, shape: tuple[int, ...], num_classes: int = 0) -> Any:
        """(generator, discriminator) for images, or points, of this shape.

        num_classes: read where players are told the class.
        """
        from jaxgen.models.mlp_gan.model import MLPDiscriminator, MLPGenerator

        squashed = self.output == "pixels"
        return (
            MLPGenerator(
                self.generator_sizes, self.latent_size, shape, squashed,
                num_classes if self.labels != "none" else 0, self.label_size,
            ),
            MLPDiscriminator(
                self.discriminator_sizes, self.discriminator_dropout, self.waves,
                self.labels, num_classes, self.label_size,
            ),
        )  # fmt: skip

    @property
    def width(self) -> int:
        """Of the generator's first hidden layer."""
        return self.generator_sizes[0]

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "MLPGANConfig":
        """Both players alike: layers of that width, or so many as wide as the generator's first."""
        both = (self.generator_sizes, self.discriminator_sizes)
        if width is not None:
            both = tuple((width,) * len(sizes) for sizes in both)
        if depth is not None:
            both = (both[0][:1] * depth,) * 2
        return replace(self, generator_sizes=both[0], discriminator_sizes=both[1])

    def costs(self, **sizes: Any) -> Any:
        """The rows of each pass of each player, see `costs.PlayerRows`."""
        from jaxgen.models.mlp_gan.costs import PlayerRows

        return PlayerRows(self, **sizes)
