"""A VAE on Fashion-MNIST, black and white by a threshold."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="An MLP VAE on pictures of clothes in black and white, by a threshold (static).",
    papers=("Kingma & Welling 2014, appendix C", "Burda et al. 2016 (the bound of 500 draws)"),
    notes="In nats per held-out image, all 10,000; iwae_500 is an upper bound of -log p by 500 draws "
    "each. 784-480-20, 10 epochs. An exact mixture of ten Chow-Liu trees has "
    "121.35, one tree 172.4; numbers of other pixels, such as drawn ones, cannot be compared.",
    expected={
        "eval/negative_elbo[threshold]": Expected(125.3, 0.7),
        "eval/iwae_500[threshold]": Expected(118.3, 0.7),
    },
    minutes=4.0,
    source="seed 0 here; chosen on up to 1,500 images held out of the training part",
    experiment=VAE(
        steps=9375,
        batch_size=64,
        data="fashion-mnist",
        binarise="threshold",
        judge_samples=500,
        model=MLPVAEConfig(hidden_sizes=(480,), latent_size=20),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=9375, end_fraction=0.0
        ),
        log_every=500,
        checkpoint_every=9375,
        eval_every=9375,
    ),
)
