"""The sizes of a GAN; apart from `gan.py` so that help and costs need no jax."""

from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class GANConfig:
    """The MLP GAN of document 002, 5.2; its sizes for 28x28 images are the defaults."""

    latent_size: int = 100
    """Z, the size of the noise vector."""
    generator_sizes: tuple[int, ...] = (256, 512)
    """Widths of the generator's hidden layers; its output has one unit per pixel."""
    discriminator_sizes: tuple[int, ...] = (512, 256)
    """Widths of the discriminator's hidden layers; its output is one logit."""
    discriminator_dropout: float = 0.0
    """Probability of dropping a hidden unit of the discriminator while training."""

    def __post_init__(self):
        check(self, "latent_size", lambda x: x >= 1, "1 or more", "model.")
        for name in ("generator_sizes", "discriminator_sizes"):
            check(self, name, lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "discriminator_dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
