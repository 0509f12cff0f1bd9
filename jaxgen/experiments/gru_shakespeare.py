"""A character GRU on Shakespeare."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.language.family import Language
from jaxgen.models.gru.config import GRUConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="A character GRU of 0.8 M parameters on a million characters of Shakespeare.",
    papers=("Cho et al. 2014 (GRU)", "document 003, 5.2 (the model)"),
    notes="As many parameters, tokens and steps as gpt-shakespeare has. It reads the text in order and "
    "carries its state from window to window, in training and when it is judged.",
    expected={"eval/loss": Expected(1.51, 0.03)},
    minutes=3.0,
    source="seeds 0 to 2 here",
    experiment=Language(
        steps=2000,
        batch_size=12,
        data="shakespeare",
        seq_len=64,
        stateful=True,
        model=GRUConfig(embedding_size=128, hidden_size=448),
        optimizer=OptimizerConfig(
            name="muon",
            learning_rate=6e-3,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=100,
            schedule="linear",
            decay_steps=2000,
        ),
    ),
)
