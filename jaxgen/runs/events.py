"""TensorBoard's events: the same metrics as in metrics.jsonl, for those who look at them there."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from jaxgen.runs.durable import naming, write_all


class Events:
    """TensorBoard's file of events, written in the caller's thread: a full disk is an OSError there.

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

        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
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
