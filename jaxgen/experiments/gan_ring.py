"""A GAN on a ring of eight narrow Gaussians."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.gan.family import PointGAN
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig

ADAM = OptimizerConfig(
    learning_rate=1e-3, beta1=0.0, beta2=0.99, schedule="cosine", decay_steps=10_000, end_fraction=0.0,
)  # fmt: skip

PRESET = Preset(
    summary="A GAN of points on a ring of eight Gaussians, which loses none of them.",
    papers=("Lin et al. 2018 (PacGAN)", "Roth et al. 2017 (noise)", "Mescheder et al. 2018 (R1)"),
    notes="Data and metrics are PacGAN's. Noise that falls (Sønderby et al. 2017) lets D see all modes "
    "at first and each one's width at last. Of true samples 98.9 % are of high quality; the value at "
    "the equilibrium is -log 4 = -1.386.",
    expected={
        "eval/modes": Expected(8.0, 0.5),
        "eval/high_quality": Expected(0.97, 0.02),
        "eval/reverse_kl": Expected(0.011, 0.008),
    },
    minutes=1.5,
    source="seeds 0 to 2 here",
    experiment=PointGAN(
        steps=10_000,
        batch_size=256,
        data="ring",
        r1=1e-4,
        noise_penalty=1.0,
        noise_start=1.0,
        noise_end=0.003,
        noise_steps=8000,
        model=MLPGANConfig(2, (128, 128, 128), (128, 128, 128), output="numbers", waves=7),
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
        ema_decay=0.99,
        log_every=500,
        checkpoint_every=5000,
        eval_every=2000,
    ),
)
