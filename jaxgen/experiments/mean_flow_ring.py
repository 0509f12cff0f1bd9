"""A few steps from noise to a ring of eight narrow Gaussians."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.mean_flow.config import MeanFlowSampling
from jaxgen.families.mean_flow.family import PointMeanFlow
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A mean flow: points on a ring of eight Gaussians in four steps from noise.",
    papers=("Geng et al. 2025 (MeanFlow)", "Lin et al. 2018, PacGAN (data, metrics)"),
    notes="A sample is four evaluations of the network, where diffusion-ring takes 39. In one step all "
    "modes are met, but hardly any to their width; --sampling.num-steps takes any number.",
    expected={
        "eval/modes": Expected(8.0, 0.5),
        "eval/high_quality": Expected(0.92, 0.03),
    },
    minutes=3.0,
    source="seed 0 here",
    experiment=PointMeanFlow(
        steps=8000,
        batch_size=512,
        judge_samples=2500,
        judge_examples=2500,
        time_mean=0.0,  # where one step begins and ends is seen in training
        time_deviation=2.0,
        power=0.5,
        model=MLPDenoiserConfig(num_layers=3, model_size=128, hidden_size=128, waves=4),
        optimizer=OptimizerConfig(learning_rate=2e-3, schedule="cosine", decay_steps=8000),
        ema_decay=0.998,
        sampling=MeanFlowSampling(count=2500, num_steps=4),
        log_every=500,
        checkpoint_every=4000,
        eval_every=4000,
    ),
)
