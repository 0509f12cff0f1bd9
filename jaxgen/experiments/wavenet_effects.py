"""WaveNet on sound effects, told which one by a label."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.sound.config import SoundSampling
from jaxgen.families.sound.family import Sound
from jaxgen.models.wavenet.config import WaveNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="WaveNet that makes clicks, bursts of noise or sweeps, told by a label.",
    papers=("van den Oord et al. 2016 (WaveNet, global conditioning)",),
    notes="The receptive field of 1,025 samples holds the tenth of a second from one click to the next. "
    "Try jaxgen sample RUN --label sweep --seconds 0.5.",
    expected={"eval/bits_per_sample": Expected(3.96, 0.05), "eval/gain_bits": Expected(1.37, 0.05)},
    minutes=3.0,
    source="seed 0 here",
    experiment=Sound(
        steps=1500,
        batch_size=6,
        data="effects",
        sample_rate=8000,
        seq_len=2000,
        model=WaveNetConfig(num_layers=10, cycle=10, model_size=24, hidden_size=24, skip_size=48),
        optimizer=OptimizerConfig(
            learning_rate=4e-3, schedule="cosine", decay_steps=1500, clip_norm=1.0,
            end_fraction=0.02, warmup_steps=50,
        ),
        sampling=SoundSampling(seconds=0.5, temperature=0.8),
        log_every=100,
        checkpoint_every=500,
        eval_every=500,
    ),
)  # fmt: skip
