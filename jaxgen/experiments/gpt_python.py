"""A character GPT on the Python language reference."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A character GPT on the Python language reference that every CPython carries.",
    papers=("Radford et al. 2019 (GPT-2), in the flavour of `modern_gpt`",),
    notes="Judged on the last tenth of the text, every character once. The text differs a little from "
    "one Python version to the next.",
    expected={"eval/nats_per_character": Expected(1.25, 0.05)},
    minutes=2.0,
    source="measured here",
    experiment=Language(
        steps=1200,
        batch_size=16,
        data="python-reference",
        seq_len=64,
        model=modern_gpt(),
        optimizer=OptimizerConfig(
            learning_rate=3e-3,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=100,
            schedule="cosine",
            decay_steps=1200,
        ),
    ),
)
