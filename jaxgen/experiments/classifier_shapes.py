"""A classifier of what is in each cell of a scene of coloured shapes."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.classifier.family import AttributeClassifier
from jaxgen.models.convnet.config import ConvNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Reads colour, shape and size off every cell of a scene of shapes.",
    papers=("Springenberg et al. 2015 (strides, no pooling)",),
    notes="Learns from real renderings alone, of all combinations, and judges what other models draw. "
    "eval/accuracy counts a scene only where every attribute is right.",
    expected={"eval/accuracy": Expected(0.999, 0.003)},
    minutes=1.0,
    source="seed 0 here",
    experiment=AttributeClassifier(
        steps=1000,
        batch_size=64,
        data="shapes-all",
        model=ConvNetConfig(channels=(24, 48, 96), hidden_size=256),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=1000, warmup_steps=50
        ),
        log_every=100,
        checkpoint_every=500,
        eval_every=1000,
        steps_per_dispatch=1,
    ),
)
