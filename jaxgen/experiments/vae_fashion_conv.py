"""A convolutional VAE on Fashion-MNIST, black and white by a threshold."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.conv_vae.config import ConvVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A convolutional VAE on pictures of clothes in black and white, by a threshold.",
    papers=("Kingma & Welling 2014", "Radford et al. 2016 (strided layers)"),
    notes="In nats per held-out image; beside vae-fashion-threshold, whose pixels it has. iwae_50 is an "
    "upper bound of -log p by 50 draws each.",
    minutes=10.0,
    experiment=VAE(
        steps=9375,
        batch_size=64,
        data="fashion-mnist",
        judge_samples=50,
        model=ConvVAEConfig(channels=(32, 64), hidden_size=256, latent_size=24),
        optimizer=OptimizerConfig(
            learning_rate=1e-3, schedule="cosine", decay_steps=9375, end_fraction=0.0
        ),
        log_every=200,
        checkpoint_every=3125,
        eval_every=9375,
    ),
)
