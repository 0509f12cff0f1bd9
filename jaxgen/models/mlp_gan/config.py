"""The sizes of an MLP GAN; apart from its modules so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


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
    waves: int = 0
    """K, pairs of sine and cosine of each number beside it in what the discriminator sees; for points,
    whose details are fine."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        for name in ("generator_sizes", "discriminator_sizes"):
            check(self, name, lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "discriminator_dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
        check(self, "waves", lambda x: 0 <= x <= 12, "0 to 12", "model.")

    def make(self, shape: tuple[int, ...]) -> Any:
        """(generator, discriminator) for images, or points, of this shape."""
        from jaxgen.models.mlp_gan.model import MLPDiscriminator, MLPGenerator

        squashed = self.output == "pixels"
        return (
            MLPGenerator(self.generator_sizes, self.latent_size, shape, squashed),
            MLPDiscriminator(self.discriminator_sizes, self.discriminator_dropout, self.waves),
        )

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
