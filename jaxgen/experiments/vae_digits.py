"""A VAE on the 8x8 digits."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="An MLP variational autoencoder on handwritten digits.",
    papers=("Kingma & Welling 2014, appendix C",),
    notes="In nats per held-out image, statically binarised: a pixel above half is white. iwae_500 is "
    "an upper bound of -log p by 500 draws each; an exact mixture of 12 trees has 16.53.",
    expected={
        "eval/negative_elbo[threshold]": Expected(17.2, 0.3),
        "eval/iwae_500[threshold]": Expected(16.3, 0.3),
    },
    minutes=0.33,
    source="measured here",
    experiment=VAE(
        steps=3000,
        batch_size=128,
        data="digits",
        judge_samples=500,
        model=MLPVAEConfig(hidden_sizes=(512, 256)),
        optimizer=OptimizerConfig(
            learning_rate=1e-3, weight_decay=0.3, schedule="cosine", decay_steps=3000
        ),
        eval_every=1000,
    ),
)
