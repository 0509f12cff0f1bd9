"""TensorBoard's events: the same metrics as in metrics.jsonl, for those who look at them there."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from jaxgen.runs.durable import make_folder, naming, write_all
from jaxgen.runs.meter import is_time

HELD_OUT = "held-out"
"""The folder of what begins with eval/: TensorBoard draws two runs' `loss` in one chart."""
SAMPLE = "samples/sample"


def tag_of(name: str) -> str:
    """A metric's tag: TensorBoard makes a group of what is before a slash, and unfolds the first two."""
    return f"speed/{name}" if is_time(name) else f"metrics/{name}"


class Events:
    """TensorBoard's events of a run: its own, and in a folder below what was found of held-out data."""

    def __init__(self, folder: Path, first_step: int):
        self._folder, self._first_step = folder, first_step
        self._trained = _File(folder, first_step)
        self._held_out: _File | None = None

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """One event with all metrics of a step, one more with the held-out ones."""
        held_out = {n[5:]: value for n, value in metrics.items() if n.startswith("eval/")}
        self._trained.add(step, {n: v for n, v in metrics.items() if not n.startswith("eval/")})
        if held_out:
            if self._held_out is None:
                make_folder(self._folder / HELD_OUT)
                self._held_out = _File(self._folder / HELD_OUT, self._first_step)
            self._held_out.add(step, held_out)

    def show(self, step: int, drawn: Path) -> None:
        """A sample: a picture, text, or sound with its picture, as their files have them."""
        self._trained.show(step, drawn)

    def close(self) -> None:
        """End the files."""
        self._trained.close()
        if self._held_out is not None:
            self._held_out.close()


class _File:
    """A file of events, written in the caller's thread: a full disk is an OSError there.

    (tensorboardX's own writer has a thread for it, whose death leaves the caller waiting for ever.)
    """

    def __init__(self, folder: Path, first_step: int):
        from tensorboardX.proto.event_pb2 import SessionLog

        stamp = f"{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / f"events.out.tfevents.{stamp}"
        with naming(self._path):
            self._file = self._path.open("wb", buffering=0)
        self._record(file_version="brain.Event:2")
        # TensorBoard forgets what an earlier process wrote from this step on.
        self._record(step=first_step + 1, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """One event with all metrics of a step."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=tag_of(name), simple_value=value) for name, value in metrics.items()
        ]
        self._record(step=step, summary=Summary(value=values))

    def show(self, step: int, drawn: Path) -> None:
        """The pictures, text and sound of a sample whose file was written."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = []
        for path in (drawn, drawn.with_suffix(".png")) if drawn.suffix == ".wav" else (drawn,):
            make = {".png": _image, ".txt": _text, ".wav": _sound}.get(path.suffix)
            if make is not None and path.exists():
                values.append(Summary.Value(tag=SAMPLE, **make(path)))
        if values:
            self._record(step=step, summary=Summary(value=values))

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _record(self, **fields) -> None:
        """An event in TensorFlow's format of records: length, its checksum, the event, its checksum."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        event = Event(wall_time=time.time(), **fields).SerializeToString()
        length = len(event).to_bytes(8, "little")
        parts = (length, _checksum(masked_crc32c, length), event, _checksum(masked_crc32c, event))
        with naming(self._path):
            write_all(self._file, b"".join(parts))


def _checksum(crc, part: bytes) -> bytes:
    return crc(part).to_bytes(4, "little")


def _image(path: Path) -> dict:
    from PIL import Image
    from tensorboardX.proto.summary_pb2 import Summary

    with Image.open(path) as picture:
        width, height, colours = *picture.size, len(picture.getbands())
    data = path.read_bytes()
    return {
        "image": Summary.Image(
            height=height, width=width, colorspace=colours, encoded_image_string=data
        )
    }


def _text(path: Path) -> dict:
    from tensorboardX.proto.summary_pb2 import SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.types_pb2 import DT_STRING

    # Indented, so that its Markdown is taken for what it is: text.
    text = "\n".join(f"    {line}" for line in path.read_text(encoding="utf-8").splitlines())
    plugin = SummaryMetadata.PluginData(plugin_name="text")
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    return {"metadata": SummaryMetadata(plugin_data=plugin), "tensor": tensor}


def _sound(path: Path) -> dict:
    import wave

    from tensorboardX.proto.summary_pb2 import Summary

    with wave.open(str(path), "rb") as reader:
        rate, channels, frames = reader.getframerate(), reader.getnchannels(), reader.getnframes()
    sound = Summary.Audio(
        sample_rate=rate, num_channels=channels, length_frames=frames, content_type="audio/wav",
        encoded_audio_string=path.read_bytes(),
    )  # fmt: skip
    return {"audio": sound}
