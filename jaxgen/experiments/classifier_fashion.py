"""A classifier of Fashion-MNIST."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.classifier.family import Classifier
from jaxgen.models.convnet.config import ConvNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A convolutional network that tells ten kinds of clothes apart.",
    papers=("Springenberg et al. 2015 (strides, no pooling)", "Xiao et al. 2017 (data)"),
    notes="Its features judge images that other models draw. One step a dispatch: on a CPU a "
    "convolution's gradient is slow inside a loop.",
    expected={"eval/accuracy": Expected(0.92, 0.01)},
    minutes=4.0,
    source="seeds 0, 1 and 2 here; settings chosen on a tenth of the training images",
    experiment=Classifier(
        steps=3750,
        batch_size=128,
        data="fashion-mnist",
        flip=True,
        model=ConvNetConfig(channels=(64, 128), hidden_size=256, dropout=0.5),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, weight_decay=0.05, schedule="cosine", decay_steps=3750
        ),
        log_every=100,
        checkpoint_every=1875,
        eval_every=1875,
        steps_per_dispatch=1,
    ),
)
