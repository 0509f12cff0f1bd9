"""nanoGPT's recipe for a laptop."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="nanoGPT's recipe for a CPU: a character GPT of the GPT-2 form on Shakespeare.",
    papers=("Radford et al. 2019 (GPT-2)", "Karpathy 2022, nanoGPT (recipe, 1.88 by its estimate)"),
    notes="The same parameters, tokens, steps and context as gpt-shakespeare, to compare with. Its own "
    "code ends at 1.898 by the metric that is used here, every held-out character once.",
    expected={"eval/loss": Expected(1.905, 0.03)},
    minutes=2.0,
    source="seeds 0 to 2 here",
    experiment=Language(
        steps=2000,
        batch_size=12,
        data="shakespeare",
        seq_len=64,
        model=GPTConfig(use_bias=False),
        optimizer=OptimizerConfig(
            learning_rate=1e-3,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=100,
            schedule="cosine",
            decay_steps=2000,
        ),
    ),
)
