"""Reading a file that a user named: every failure is one sentence with the file's name in it."""

from pathlib import Path

from jaxgen.errors import UserError


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UserError: there is no such file, it is a directory, or the system does not let us read it.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check the path.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a directory: name a file in it.") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read: change its permissions or your user.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise UserError(f"{path} cannot be read ({error}): check the path and the disk.") from error
