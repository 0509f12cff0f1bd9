"""GPT-3 XL."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="GPT-3 with 1.3 G parameters; random tokens unless --data names a text.",
    papers=("Brown et al. 2020, table 2.1, GPT-3 XL",),
    notes="16 heads of 128 where the table prints 24 of 128, which is not its width of 2,048.",
    experiment=Language(
        steps=300_000,
        batch_size=16,
        data="random-tokens:50257",
        seq_len=2048,
        model=GPTConfig(
            num_layers=24, num_heads=16, model_size=2048, hidden_size=8192, max_seq_len=2048,
            compute_dtype="bfloat16", remat=True,
        ),
        optimizer=OptimizerConfig(learning_rate=2e-4, beta2=0.95, weight_decay=0.1, clip_norm=1.0),
    ),
)  # fmt: skip
