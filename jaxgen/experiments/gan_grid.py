"""A GAN on a grid of twenty-five narrow Gaussians."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.gan.family import PointGAN
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig

ADAM = OptimizerConfig(
    learning_rate=1e-3, beta1=0.0, beta2=0.99, schedule="cosine", decay_steps=8000, end_fraction=0.0,
)  # fmt: skip

PRESET = Preset(
    summary="A GAN of points on a grid of 25 Gaussians, of which it may lose one.",
    papers=("Lin et al. 2018 (PacGAN)", "Roth et al. 2017 (noise)", "Mescheder et al. 2018 (R1)"),
    notes="Data and metrics are PacGAN's. Noise that falls (Sønderby et al. 2017) lets D see all modes "
    "at first and each one's width at last. Of true samples 98.9 % are of high quality; the value at "
    "the equilibrium is -log 4 = -1.386. The reverse KL is 0.037, 0.28 and 0.041.",
    expected={"eval/modes": Expected(24.5, 1.0), "eval/high_quality": Expected(0.9, 0.03)},
    minutes=2.0,
    source="seeds 0 to 2 here",
    experiment=PointGAN(
        steps=8000,
        batch_size=512,
        data="grid",
        r1=2.5e-3,
        noise_penalty=1.0,
        noise_start=3.0,
        noise_end=0.02,
        noise_steps=5000,
        model=MLPGANConfig(2, (128, 128, 128), (128, 128, 128), output="numbers", waves=5),
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
        ema_decay=0.995,
        log_every=500,
        checkpoint_every=4000,
        eval_every=2000,
    ),
)
