"""The sizes of a GAN; apart from `gan.py` so that help and costs need no jax."""

from dataclasses import dataclass

from jaxgen.errors import UserError


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
        if self.latent_size < 1:
            raise UserError(f"model.latent_size is {self.latent_size}; give 1 or more.")
        for name in ("generator_sizes", "discriminator_sizes"):
            sizes = getattr(self, name)
            if not sizes or min(sizes) < 1:
                raise UserError(f"model.{name} is {sizes}; give at least one width of 1 or more.")
        if not 0 <= self.discriminator_dropout < 1:
            raise UserError(
                f"model.discriminator_dropout is {self.discriminator_dropout}; "
                "give a number from 0 up to 1."
            )
