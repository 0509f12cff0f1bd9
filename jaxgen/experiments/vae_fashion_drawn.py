"""A VAE on Fashion-MNIST, each pixel drawn once."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="An MLP VAE on pictures of clothes whose pixels are drawn once (static).",
    papers=("Kingma & Welling 2014, appendix C", "Burda et al. 2016 (the bound of 500 draws)"),
    notes="In nats per held-out image, all 10,000; iwae_500 is an upper bound of -log p by 500 draws "
    "each. 784-480-20, 10 epochs. pytorch/examples' VAE has 242.3 and 237.8; "
    "numbers of other pixels, such as thresholded ones, cannot be compared.",
    expected={
        "eval/negative_elbo[drawn-once]": Expected(239.4, 0.7),
        "eval/iwae_500[drawn-once]": Expected(235.8, 0.7),
    },
    minutes=4.0,
    source="seed 0 here; chosen on up to 1,500 images held out of the training part",
    experiment=VAE(
        steps=18750,
        batch_size=32,
        data="fashion-mnist",
        binarise="once",
        kl_warmup=3000,
        judge_samples=500,
        model=MLPVAEConfig(hidden_sizes=(480,), latent_size=20),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=18750, end_fraction=0.0
        ),
        log_every=500,
        checkpoint_every=18750,
        eval_every=18750,
    ),
)
