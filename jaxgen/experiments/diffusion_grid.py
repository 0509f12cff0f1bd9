"""Diffusion on a grid of twenty-five narrow Gaussians."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.family import PointDiffusion
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Diffusion of points on a grid of 25 Gaussians, beside the exact answer.",
    papers=("Karras et al. 2022 (EDM)", "Lin et al. 2018, PacGAN (data, metrics)"),
    notes="The regret is the loss minus the exact denoiser's on the same draws. Of true samples 98.9 % "
    "are of high quality.",
    expected={
        "eval/modes": Expected(25.0, 0.5),
        "eval/high_quality": Expected(0.98, 0.01),
        "eval/regret": Expected(0.0024, 0.0023),
    },
    minutes=1.0,
    source="seed 0 here",
    experiment=PointDiffusion(
        steps=5000,
        batch_size=512,
        data="grid",
        data_deviation=2.83,
        log_snr_mean=1.2,
        log_snr_deviation=3.0,
        log_snr_min=-8.8,
        log_snr_max=9.0,
        judge_samples=2500,
        judge_examples=10_000,
        model=MLPDenoiserConfig(num_layers=2, model_size=128, hidden_size=128, waves=6),
        optimizer=OptimizerConfig(
            learning_rate=3e-3, schedule="cosine", decay_steps=5000, end_fraction=0.0
        ),
        ema_decay=0.998,
        sampling=DiffusionSampling(count=2500, num_steps=20),
        log_every=500,
        checkpoint_every=2000,
        eval_every=5000,
    ),
)
