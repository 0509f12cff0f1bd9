"""GPT-2, the smallest."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="GPT-2 with 124 M parameters; random tokens unless --data names a text.",
    papers=("Radford et al. 2019, table 2 (printed there as 117M, counted as 124M since)",),
    experiment=Language(
        steps=600_000,
        batch_size=16,
        data="random-tokens:50257",
        seq_len=1024,
        model=GPTConfig(
            num_layers=12, num_heads=12, model_size=768, hidden_size=3072, max_seq_len=1024,
            compute_dtype="bfloat16",
        ),
        optimizer=OptimizerConfig(learning_rate=6e-4, beta2=0.95, weight_decay=0.1, clip_norm=1.0),
    ),
)  # fmt: skip
