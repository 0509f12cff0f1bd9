"""Where what was made of a data set is kept for the next run: tokens, decoded pictures."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jaxgen.errors import UserError

VARIABLE = "JAXGEN_CACHE"
"""The environment variable that names another folder than ~/.cache/jaxgen-data."""


def cache_folder() -> Path:
    """The folder, made where it is not there yet; it may be emptied at any time between runs.

    Raises UserError where it cannot be written.
    """
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no $HOME, and no entry of this user
        home = None
    if not os.environ.get(VARIABLE) and home is None:
        raise UserError(f"There is no home directory for a cache: name a folder by ${VARIABLE}.")
    folder = Path(os.environ.get(VARIABLE) or f"{home}/jaxgen-data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): name another folder by ${VARIABLE}."
        ) from None
    return folder


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Of the processes of this machine that come here for a path, one at a time."""
    import fcntl

    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
