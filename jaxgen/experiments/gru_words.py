"""The documents' recurrent model, on words."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.language.family import Language
from jaxgen.families.sampling import TextSampling
from jaxgen.models.gru.config import GRUConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="The documents' recurrent model of words, working; they call it a GPT.",
    papers=("document 003, 5.2 (sizes, optimiser, temperature)", "Cho et al. 2014 (GRU)"),
    notes="10,000 words with <PAD>, <EOS> and <UNK>, lower-cased; the state is carried from window to "
    "window; words are drawn at the temperature 0.5, which the code names and does not use.",
    minutes=15.0,
    experiment=Language(
        steps=600,
        batch_size=64,
        data="shakespeare",
        tokenizer="words",
        seq_len=20,
        stateful=True,
        model=GRUConfig(),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        sampling=TextSampling(
            prompt="The quick brown fox jumps over the lazy dog", max_tokens=100, temperature=0.5
        ),
        log_every=100,
    ),
)
