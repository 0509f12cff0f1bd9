"""A character GPT on Shakespeare."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A character GPT of 0.8 M parameters on a million characters of Shakespeare.",
    papers=(
        "Radford et al. 2019 (GPT-2), in the flavour of `modern_gpt`",
        "Jordan et al. 2024 (Muon)",
    ),
    notes="Judged on the last tenth of the text, every character once, in windows of 64. The settings "
    "were chosen on the training text alone, of which the last tenth was held out for that.",
    expected={"eval/loss": Expected(1.59, 0.03)},
    minutes=2.0,
    source="seeds 0 to 2 here",
    experiment=Language(
        steps=2000,
        batch_size=12,
        data="shakespeare",
        seq_len=64,
        model=modern_gpt(),
        optimizer=OptimizerConfig(
            name="muon",
            learning_rate=3e-3,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=100,
            schedule="linear",
            decay_steps=2000,
        ),
    ),
)
