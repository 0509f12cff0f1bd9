"""One writer a run: a lock on a file of the run's, held by process 0 and released by its death."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from jaxgen.errors import UserError

LOCK = "lock.json"
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)  # some network file systems


@contextlib.contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; a UserError names the host and process that has it.

    The kernel releases it when the process ends, however it does, and the file stays: to remove it
    would let two processes lock two files of one name. Those who only read take no lock.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder} is being written by {_owner(descriptor)}: wait for its end, or stop it first."
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            print(
                f"warning: the disk of {folder} has no locks: see to it that nobody else resumes it",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_me()).encode() + b"\n", 0)
        yield
    finally:
        os.close(descriptor)


def _me() -> dict[str, str | int]:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return {"host": socket.gethostname(), "process": os.getpid(), "since": since}


def _owner(descriptor: int) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        me = json.loads(os.pread(descriptor, 1000, 0))
        return f"process {me['process']} on {me['host']}, since {me['since']}"
    return "another process, which has just started"
