"""Sound as a kind of data: where it comes from, and what a model needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from jaxgen.data.audio.clips import Clips
from jaxgen.data.audio.dataset import waves_of
from jaxgen.data.audio.effects import Effects
from jaxgen.data.audio.tfds import TfdsAudio
from jaxgen.data.audio.vowels import Vowels
from jaxgen.data.audio.wavs import WavFolder
from jaxgen.data.kind import Data, Kind, Source, whole
from jaxgen.data.named import find_named
from jaxgen.data.reading import as_path
from jaxgen.errors import UserError

VOICES = ("", "vowels")


@dataclass(frozen=True)
class AudioSpec:
    """How sound was sampled, and what it is told by.

    Attributes:
      sample_rate: samples a second. num_features: C, of each frame; 0: none. hop: samples of a frame.
      labels: the names of what a clip is of. voice: who turns a text into features; empty: nobody.
    """

    sample_rate: int
    num_features: int = 0
    hop: int = 1
    labels: tuple[str, ...] = ()
    voice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its fields, and `"kind": "audio"`."""
        return {
            "kind": "audio", "sample_rate": self.sample_rate, "num_features": self.num_features,
            "hop": self.hop, "labels": list(self.labels), "voice": self.voice,
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "AudioSpec":
        """The inverse of `to_json`; KeyError, TypeError or ValueError where it is damaged."""
        labels, voice = values["labels"], values["voice"]
        if voice not in VOICES or not all(isinstance(label, str) for label in labels):
            raise ValueError("the labels or the voice are not known")
        rate, features = whole(values, "sample_rate"), whole(values, "num_features", 0, 2**16)
        return cls(rate, features, whole(values, "hop"), tuple(labels), voice)


@runtime_checkable  # so that beartype can check it in tests
class AudioSource(Protocol):
    """What has clips once a person has said at which rate."""

    def clips(self, sample_rate: int, *, resample: bool, hop: int | None) -> Clips:
        """The clips to train on and those held out."""


def audio_data(
    source: AudioSource,
    *,
    seq_len: int | None = None,
    sample_rate: int = 16000,
    resample: bool = False,
    hop: int | None = None,
) -> Data:
    """The clips of a source, to be read in windows of seq_len samples.

    Raises UserError where seq_len is not given, does not fit, or the source cannot be read so.
    """
    if seq_len is None:
        raise UserError("Sound needs the length of a window: set seq_len.")
    found = source.clips(sample_rate, resample=resample, hop=hop)
    train, test = (
        waves_of(clips, seq_len, found.hop, bool(found.labels), part)
        for clips, part in ((found.train, "training"), (found.test, "held-out"))
    )
    features = train.arrays.get("features")
    width = 0 if features is None else features.shape[1]
    spec = AudioSpec(sample_rate, width, found.hop, found.labels, found.voice)
    return Data(train, replace(test, seen=train), spec)


def speech() -> WavFolder:
    """Five clips of read English, 25 s; a UserError where they are not on this machine."""
    remedy = (
        "get the wav files of Debian's pocketsphinx-testdata (LibriVox, Austen), or give wav:DIR"
    )
    return WavFolder(find_named("speech", "audio", [], remedy))


KIND = Kind(
    {
        "effects": Source(lambda _: (Effects(),)),
        "speech": Source(lambda _: (speech(),)),
        "tfds": Source(lambda name: (TfdsAudio(name),), "NAME"),
        "vowels": Source(lambda _: (Vowels(),)),
        "wav": Source(lambda folder: (WavFolder(as_path(folder)),), "DIR"),
    },
    audio_data,
    AudioSpec.from_json,
)
