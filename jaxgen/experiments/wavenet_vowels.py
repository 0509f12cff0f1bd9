"""WaveNet as a voice that says what is written."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.sound.config import SoundSampling
from jaxgen.families.sound.family import Sound
from jaxgen.models.wavenet.config import WaveNetConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="WaveNet that says strings of vowels at a pitch, told by features of frames.",
    papers=("van den Oord et al. 2016 (WaveNet)", "Peterson & Barney 1952 (formants)"),
    notes="eval/pitch_followed and eval/vowels_read are read back from what it says. Try "
    "jaxgen sample RUN --text 'aou ei' --pitch 100 110 120 150 140.",
    expected={
        "eval/bits_per_sample": Expected(1.98, 0.05),
        "eval/pitch_followed": Expected(0.97, 0.03),
        "eval/vowels_read": Expected(1.0, 0.05),
    },
    minutes=7.0,
    source="seed 0 here",
    experiment=Sound(
        steps=4500,
        batch_size=2,
        data="vowels",
        sample_rate=8000,
        seq_len=3200,
        model=WaveNetConfig(num_layers=9, cycle=9, model_size=32, hidden_size=32, skip_size=64),
        optimizer=OptimizerConfig(
            learning_rate=4e-3, schedule="cosine", decay_steps=4500, clip_norm=1.0,
            end_fraction=0.02, warmup_steps=50,
        ),
        sampling=SoundSampling(temperature=0.5),
        log_every=100,
        checkpoint_every=1500,
        eval_every=1500,
    ),
)  # fmt: skip
