"""A vector-quantised autoencoder of the 8x8 digits."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.discrete_vae.family import DiscreteVAE
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Handwritten digits as 4 x 4 codes out of 64 (VQ-VAE).",
    papers=("van den Oord et al. 2017 (VQ-VAE)", "Dhariwal et al. 2020 (codes revived)"),
    notes="eval/loss: nats an image under a Gaussian around the decoder's mean and uniform codes. "
    "--quantiser gumbel makes it the discrete VAE of DALL-E.",
    expected={"eval/psnr": Expected(22.4, 0.5), "eval/perplexity": Expected(56.0, 6.0)},
    minutes=1.0,
    source="seed 0 here",
    experiment=DiscreteVAE(
        steps=1500,
        batch_size=64,
        data="digits",
        model=GridAutoencoderConfig(channels=(64,), num_codes=64, code_size=16),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=1500, warmup_steps=50
        ),
        log_every=100,
        checkpoint_every=750,
        eval_every=750,
        steps_per_dispatch=1,
    ),
)
