"""Writes that outlive a loss of power: a file's bytes by fsync, its name by fsync of the folder above.

Without the first a renamed file may come back with 0 bytes, without the second under its old name.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from jaxgen.interrupts import draft as removed_at_end


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError name the file that it is about: those of writes and fsyncs do not."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a library's own error
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def sync(path: Path) -> None:
    """Return when a file's bytes, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(descriptor)
    except OSError as error:
        # Some network file systems know no fsync of a folder; their server keeps the names.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def write_all(file: FileIO, data: bytes) -> None:
    """Write to a file without a buffer: a disk that is nearly full takes a part first, then nothing."""
    while data:
        data = data[file.write(data) :]


def sync_tree(folder: Path) -> None:
    """Return when all that lies in a folder is on the disk, at any depth, and the folder's own names."""
    for path in folder.iterdir():
        if path.is_dir():
            sync_tree(path)
        else:
            sync(path)
    sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each on the disk before the next."""
    if not folder.is_dir():
        make_folder(folder.parent)
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(
                errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)
            ) from None
        sync(folder.parent)


def replace_file(path: Path, text: str) -> None:
    """Write a text file whole or not at all: under another name, and renamed when it is on the disk."""
    draft = path.with_name(path.name + ".new")
    try:
        with naming(path), removed_at_end(draft):
            draft.write_text(text, encoding="utf-8")
            sync(draft)
            draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)
