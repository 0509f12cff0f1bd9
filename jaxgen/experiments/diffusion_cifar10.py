"""DDPM's network on CIFAR-10, for an accelerator."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.family import Diffusion
from jaxgen.models.unet.config import ddpm_cifar10
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="The U-Net of DDPM, 35.7 M parameters, on the small colour images of CIFAR-10.",
    papers=("Ho et al. 2020, table 1 and appendix B", "Karras et al. 2022, table 2"),
    notes="Not run here. The papers' FID, of 50,000 samples by Inception: 3.17 after 800,000 steps with "
    "the simple loss and 1,000 evaluations (DDPM); 1.97 at 35 (EDM); here EDM's loss and Heun's steps.",
    experiment=Diffusion(
        steps=800_000,
        batch_size=128,
        data="tfds:cifar10",
        log_snr_mean=2.4,
        log_snr_deviation=2.4,
        log_snr_max=12.4,
        model=ddpm_cifar10(),
        optimizer=OptimizerConfig(
            learning_rate=2e-4, clip_norm=1.0, schedule="constant", warmup_steps=5000
        ),
        ema_decay=0.9999,
        sampling=DiffusionSampling(sampler="heun", num_steps=18),
        log_every=1000,
        checkpoint_every="10m",
        eval_every=100_000,
    ),
)
