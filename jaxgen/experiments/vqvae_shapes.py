"""A vector-quantised autoencoder of scenes of coloured shapes."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.discrete_vae.family import CaptionedVAE
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Scenes of coloured shapes, 32 x 32, as 8 x 8 codes out of 128 (VQ-VAE).",
    papers=("van den Oord et al. 2017 (VQ-VAE)", "Dhariwal et al. 2020 (codes revived)"),
    notes="eval/loss: nats an image under a Gaussian around the decoder's mean and uniform codes. "
    "It sees no combination that is held out. So far its codes lose much of what tells circles from "
    "squares when they are small.",
    expected={"eval/psnr": Expected(28.0, 0.7), "eval/perplexity": Expected(88.0, 10.0)},
    minutes=3.0,
    source="seed 0 here",
    experiment=CaptionedVAE(
        steps=900,
        batch_size=32,
        data="shapes",
        model=GridAutoencoderConfig(channels=(32, 64), num_codes=128, code_size=16),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=900, warmup_steps=50
        ),
        log_every=100,
        checkpoint_every=450,
        eval_every=900,
        steps_per_dispatch=1,
    ),
)
