"""Diffusion on the 8x8 digits, with the digits' own grey levels."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.family import Diffusion
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Diffusion of handwritten digits as 17 grey levels, by class, with its bound.",
    papers=("Kingma et al. 2021 (VDM)", "Ho & Salimans 2022 (guidance)"),
    notes="eval/loss is an upper bound of -log p in nats per held-out image of 17 levels, "
    "given its class.",
    expected={
        "eval/loss": Expected(86.4, 1.0),
        "eval/pixel_frechet": Expected(0.144, 0.03),
        "eval/generative_accuracy": Expected(0.961, 0.015),
    },
    minutes=1.0,
    source="seed 0 here",
    experiment=Diffusion(
        steps=2000,
        batch_size=64,
        data="digits",
        prediction="lattice",
        levels=17,
        weighting="bound",
        times="log-snr",
        log_snr_min=-7.0,
        log_snr_max=7.0,
        data_deviation=0.75,
        label_dropout=0.1,
        model=MLPDenoiserConfig(num_layers=2, model_size=128, hidden_size=256, dropout=0.2),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, weight_decay=0.1, schedule="cosine", decay_steps=2000
        ),
        ema_decay=0.99,
        sampling=DiffusionSampling(count=100, num_steps=10, sampler="dpm-solver++"),
        checkpoint_every=1000,
        eval_every=2000,
    ),
)
