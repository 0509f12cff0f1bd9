"""GPT-2, the second."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="GPT-2 with 355 M parameters; random tokens unless --data names a text.",
    papers=("Radford et al. 2019, table 2 (printed there as 345M)",),
    notes="The rate is GPT-3's at this size (Brown et al. 2020, table 2.1); GPT-2's is not published.",
    experiment=Language(
        steps=600_000,
        batch_size=16,
        data="random-tokens:50257",
        seq_len=1024,
        model=GPTConfig(
            num_layers=24, num_heads=16, model_size=1024, hidden_size=4096, max_seq_len=1024,
            compute_dtype="bfloat16", remat=True,
        ),
        optimizer=OptimizerConfig(learning_rate=3e-4, beta2=0.95, weight_decay=0.1, clip_norm=1.0),
    ),
)  # fmt: skip
