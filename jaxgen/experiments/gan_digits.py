"""A GAN on the 8x8 digits."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.gan.family import GAN
from jaxgen.models.mlp_gan.config import MLPGANConfig

PRESET = Preset(
    summary="The documents' MLP generative adversarial network on handwritten digits.",
    papers=(
        "Goodfellow et al. 2014",
        "document 002, 5.2 (sizes)",
        "document 004, 5.2, and Radford et al. 2016 (optimiser)",
    ),
    notes="Dropout in the discriminator keeps it from learning 1,437 training images by heart; without "
    "it the generator neglects classes. The accuracy says that the discriminator does not win.",
    expected={
        "eval/pixel_frechet": Expected(0.26, 0.12),
        "eval/discriminator_accuracy": Expected(0.71, 0.08),
    },
    minutes=1.2,
    source="measured here",
    experiment=GAN(
        steps=12_000,
        batch_size=64,
        data="digits",
        model=MLPGANConfig(discriminator_dropout=0.3),
        log_every=100,
        checkpoint_every=4000,
        eval_every=4000,
    ),
)
