"""A plain DCGAN on Fashion-MNIST."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.gan.family import GAN
from jaxgen.models.dcgan.config import DCGANConfig

PRESET = Preset(
    summary="A DCGAN as it was published, on ten kinds of clothes, to be compared with.",
    papers=("Radford et al. 2016 (DCGAN)", "Xiao et al. 2017 (data)"),
    notes="Batch norm in both players, Adam at 2e-4 with beta1 0.5, no average. With --judge.run NAME "
    "of a run of classifier-fashion its features judge the samples. One step a dispatch: on a CPU a "
    "convolution's gradient is slow inside a loop.",
    minutes=6.0,
    experiment=GAN(
        steps=2000,
        batch_size=64,
        data="fashion-mnist",
        model=DCGANConfig(100, (32, 64)),
        log_every=100,
        checkpoint_every=1000,
        eval_every=2000,
        steps_per_dispatch=1,
    ),
)
