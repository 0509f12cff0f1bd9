"""Diffusion on Fashion-MNIST by a small U-Net."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.family import Diffusion
from jaxgen.models.unet.config import UNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A diffusion U-Net that draws ten kinds of clothes, by class.",
    papers=("Ho et al. 2020 (DDPM)", "Karras et al. 2022 (EDM)", "Xiao et al. 2017 (data)"),
    notes="Not trained to its end here; the time is its FLOPs over 90 GFLOP/s. eval/loss is an upper "
    "bound of -log p in nats per held-out image of 256 levels. With --judge.run NAME of a run of "
    "classifier-fashion its features judge the samples.",
    minutes=12.0,
    experiment=Diffusion(
        steps=2400,
        batch_size=64,
        data="fashion-mnist",
        data_deviation=0.71,
        log_snr_mean=1.5,
        log_snr_deviation=2.4,
        log_snr_max=13.0,
        label_dropout=0.1,
        judge_examples=100,
        judge_samples=1000,
        judge_draws=8,
        model=UNetConfig(16, (1, 2, 4), 1, (2,), 1, 8),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=2400, warmup_steps=100
        ),
        ema_decay=0.995,
        sampling=DiffusionSampling(sampler="dpm-solver++", guidance=1.5),
        log_every=100,
        checkpoint_every=800,
        eval_every=2400,
    ),
)
