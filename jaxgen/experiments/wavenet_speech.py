"""WaveNet on recorded speech."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.sound.family import Sound
from jaxgen.models.wavenet.config import WaveNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="WaveNet on 25 s of read English at 16 kHz, as 256 levels of the mu-law.",
    papers=("van den Oord et al. 2016 (WaveNet)",),
    notes="The last fifth of each clip is held out. eval/markov_bits and eval/linear_bits are what an "
    "order-2 Markov chain and linear prediction of order 16 make of it at the same levels; "
    "eval/adaptive_bits linear prediction that is fitted to each last 50 ms.",
    expected={"eval/bits_per_sample": Expected(3.47, 0.05), "eval/gain_bits": Expected(1.1, 0.05)},
    minutes=4.0,
    source="seed 0 here",
    experiment=Sound(
        steps=1500,
        batch_size=4,
        data="speech",
        seq_len=2000,
        model=WaveNetConfig(num_layers=10, cycle=10, model_size=32, hidden_size=32, skip_size=64),
        optimizer=OptimizerConfig(
            learning_rate=4e-3, weight_decay=0.01, clip_norm=1.0,
            schedule="cosine", decay_steps=1500, end_fraction=0.02,
        ),
        log_every=100,
        checkpoint_every=500,
        eval_every=1500,
    ),
)  # fmt: skip
