"""A DCGAN on Fashion-MNIST with what has been learnt since."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.gan.family import GAN
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.training.config import OptimizerConfig

ADAM = OptimizerConfig(
    learning_rate=5e-4, beta1=0.5, beta2=0.99, schedule="cosine", decay_steps=2000
)

PRESET = Preset(
    summary="A GAN of convolutions that draws ten kinds of clothes.",
    papers=(
        "Radford et al. 2016 (DCGAN)",
        "Mescheder et al. 2018 (R1)",
        "Yazıcı et al. 2019 (average)",
        "Xiao et al. 2017 (data)",
    ),
    notes="With --judge.run NAME of a run of classifier-fashion its features judge the samples. One "
    "step a dispatch: on a CPU a convolution's gradient is slow inside a loop.",
    minutes=6.0,
    experiment=GAN(
        steps=2000,
        batch_size=64,
        data="fashion-mnist",
        spectral_norm=True,
        loss="hinge",
        model=DCGANConfig(100, (32, 64), discriminator_norm="none"),
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
        ema_decay=0.995,
        log_every=100,
        checkpoint_every=1000,
        eval_every=2000,
        steps_per_dispatch=1,
    ),
)
