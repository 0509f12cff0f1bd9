"""Autoregressive models of sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxgen.errors import check
from jaxgen.families.base import Experiment, Trained
from jaxgen.families.sound.config import SoundSampling
from jaxgen.families.sound.costs import sound_step
from jaxgen.models.base import ModelConfig
from jaxgen.models.wavenet.config import WaveNetConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data
    from jaxgen.data.audio.kind import AudioSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Sound(Experiment):
    """A model of each next sample of sound, given those before it and what it is told."""

    kind: ClassVar = "audio"
    data: str = "vowels"
    """Where the sound comes from: vowels, effects, speech, wav:DIR (a folder a speaker, or all in one),
    tfds:NAME."""
    seq_len: int = 4000
    """T, samples of a training window."""
    sample_rate: int = 16000
    """Samples a second."""
    resample: bool = False
    """Convert what is of another rate; else it is refused."""
    hop: int | None = None
    """Samples of a frame: beside each wav file lies one of the same name, .npy, with a row of features
    for each frame, which the model is told. None: there are none."""
    output: Literal["mu-law", "logistics"] = "mu-law"
    """What the next sample is: one of --levels of companded sound, or of 16 bits."""
    levels: int = 256
    """V, of the μ-law, μ = V - 1; a mixture of logistics does not read it."""
    mixtures: int = 10
    """Logistics in the mixture; the μ-law does not read it."""
    judge_texts: int = 12
    """Strings of vowels that a voice is to say, to be read back when it is judged; 0: none."""
    model: ModelConfig = field(default_factory=WaveNetConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: SoundSampling = field(default_factory=SoundSampling)
    batch_size: int = 4
    steps_per_dispatch: int = 10

    def __post_init__(self):
        super().__post_init__()
        check(self, "seq_len", lambda x: 1 <= x <= 2**24, "1 to 16777216")
        check(self, "sample_rate", lambda x: 100 <= x <= 2**20, "100 to 1048576")
        check(self, "hop", lambda x: x is None or 1 <= x <= 2**16, "1 to 65536, or None")
        check(self, "levels", lambda x: 2 <= x <= 2**12, "2 to 4096")
        check(self, "mixtures", lambda x: 1 <= x <= 100, "1 to 100")
        check(self, "judge_texts", lambda x: 0 <= x <= 1000, "0 to 1000")

    def load(self) -> Data:
        """The sound, to be read in windows of seq_len samples."""
        from jaxgen.data import load

        return load(
            self.data, kind="audio", seq_len=self.seq_len, sample_rate=self.sample_rate,
            resample=self.resample, hop=self.hop,
        )  # fmt: skip

    def build(self, spec: AudioSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A model with the cost of each next sample; it applies to (signal, features, label)."""
        from jaxgen.families.sound.build import build_task

        return build_task(self, spec)

    def costs(self, spec: AudioSpec) -> Table:
        """What one training step costs, row by row."""
        mu_law = self.output == "mu-law"
        frames = self.seq_len // spec.hop if spec.num_features else 1
        return sound_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, seq_len=self.seq_len, levels=self.levels if mu_law else 0,
            mixtures=self.mixtures, num_features=spec.num_features, num_frames=frames,
            num_labels=len(spec.labels), ema=self.ema_decay is not None,
        )  # fmt: skip
