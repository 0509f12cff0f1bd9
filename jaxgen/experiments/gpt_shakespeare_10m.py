"""A character GPT of 10.7 M parameters, for an accelerator."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="nanoGPT's larger character model of Shakespeare, 10.7 M parameters.",
    papers=("Radford et al. 2019 (GPT-2)", "Karpathy 2022, nanoGPT (recipe)"),
    notes="nanoGPT reports 1.4697 nats, its best estimate on the held-out tenth; forms with rotary "
    "positions end near 1.465. Run on one NVIDIA H200 with seed 0 (jax 0.11.2, 77 s of training): 1.471 "
    "at step 1,500, the lowest of ten evaluations of the whole tenth; then it learns the text by heart, "
    "1.715 at 5,000, so keep the best checkpoint.",
    experiment=Language(
        steps=5000,
        batch_size=64,
        data="shakespeare",
        seq_len=256,
        model=GPTConfig(
            num_layers=6, num_heads=6, model_size=384, hidden_size=1536, max_seq_len=256,
            use_bias=False, dropout=0.2,
        ),
        optimizer=OptimizerConfig(
            learning_rate=1e-3, beta2=0.99, weight_decay=0.1, clip_norm=1.0, warmup_steps=100,
            schedule="cosine", decay_steps=5000,
        ),
    ),
)  # fmt: skip
