"""A VAE on Fashion-MNIST."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="The well-known VAE, 784-400-20 with grey targets, on pictures of clothes.",
    papers=("Kingma & Welling 2014, appendix C", "Xiao et al. 2017 (data)"),
    notes="eval/loss in nats per held-out image. Grey levels are taken for probabilities, so it is no "
    "likelihood; it compares with others that do the same.",
    expected={"eval/loss": Expected(245.0, 1.5)},
    minutes=1.0,
    source="measured here; pytorch/examples' VAE of the same sizes and steps ends at 244.2",
    experiment=VAE(
        steps=4680,
        batch_size=128,
        data="fashion-mnist",
        binarise="grey",
        model=MLPVAEConfig(hidden_sizes=(400,), latent_size=20),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        log_every=100,
        checkpoint_every=2340,
        eval_every=2340,
    ),
)
