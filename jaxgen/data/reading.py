"""Reading what a user named: every failure is one sentence with the file's name in it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jaxgen.errors import UserError


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
      UserError: there is no such file, it is a directory or a device, or the system does not let us
        read it.
    """
    require_file(path)
    with plain_errors(path):
        return path.read_bytes()


def require_file(path: Path) -> None:
    """Raise the UserError of `read_bytes` where a file cannot be read."""
    with plain_errors(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UserError(f"{path} is a device or a pipe: name a file.")
        path.open("rb").close()


def refuse_bomb(path: Path, packed_bytes: int, unpacked_bytes: int) -> None:
    """Raise a UserError where a file unpacks to 100 times its size and more than 100 MB.

    Images seldom shrink to a tenth of their size.
    """
    most = max(100 * packed_bytes, 100_000_000)
    if unpacked_bytes > most:
        raise UserError(
            f"{path} unpacks to more than {most / 1e6:.0f} MB from {packed_bytes / 1e6:.3g} MB: give "
            "it uncompressed if it holds what you expect."
        )


def file_names(folder: Path) -> list[str]:
    """The names in a directory.

    Raises:
      UserError: there is no such directory, or the system does not let us read it.
    """
    with plain_errors(folder):
        return [path.name for path in folder.iterdir()]


def listing(files: list[Path]) -> list[tuple[str, int, int]]:
    """Name, bytes and time of each file."""
    stats = ((file, file.stat()) for file in files)
    return [(f"{f.parent.name}/{f.name}", stat.st_size, stat.st_mtime_ns) for f, stat in stats]


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """One sentence in place of the system's error."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check the path.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a directory: name a file in it.") from error
    except NotADirectoryError as error:
        raise UserError(f"{path} is not a directory, or lies in none: check the path.") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read: change its permissions or your user.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise UserError(f"{path} cannot be read ({error}): check the path and the disk.") from error


def as_path(argument: str) -> Path:
    """A path as a person writes it; after a colon the shell leaves a tilde as it is."""
    return Path(os.path.expanduser(argument))  # noqa: PTH111  (pathlib's fails on unknown users)
