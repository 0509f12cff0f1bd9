"""The one exception for errors that a user can cause and mend, and the troubles of a machine."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple


class UserError(Exception):
    """Bad input: one sentence that names the culprit (field or file) and the remedy.

    The command line prints the sentence and exits with status 2; every other exception is a
    defect of ours and keeps its traceback.
    """


def printable(text: object) -> str:
    """The text with control characters written out, so that no file's content steers a terminal.

    A text of more than 4,000 characters loses its middle.
    """
    text = str(text)
    if len(text) > 4000:
        text = f"{text[:2000]} … {text[-2000:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Trouble(NamedTuple):
    """What a machine refused: the system's number and words for it, and what a person can do."""

    number: int
    problem: str
    remedy: str


REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or ask for a larger quota",
    errno.EFBIG: "make room, or raise the limit on a file's size (ulimit -f)",
    errno.EROFS: "mount it for writing, or name another place",
    errno.EACCES: "give this user the right to it, or name another place",
    errno.EPERM: "give this user the right to it, or name another place",
    errno.EIO: "see to the disk",
    errno.ESTALE: "see to the network's disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit on open files",
    errno.EISDIR: "move the folder out of the way",
    errno.ENOENT: "bring it back, or name another place",
    errno.ENOTDIR: "move the file out of the way",
}


def trouble_of(error: BaseException) -> Trouble | None:
    """The machine's trouble behind an exception, also where a library has only passed on its words."""
    number = getattr(error, "errno", None)
    if number is None:
        number = next((n for n in REMEDIES if os.strerror(n) in str(error)), None)
    if number not in REMEDIES:
        return None
    return Trouble(number, os.strerror(number), REMEDIES[number])


class NotSaved(Exception):  # noqa: N818  (a loss, and nobody's error)
    """A run has come to its end, but the disk has not taken its last step: status 1."""


class Interrupted(KeyboardInterrupt):
    """A person stopped the run; the message says what was saved and how to go on.

    A KeyboardInterrupt, as any other Ctrl-C: a program's `except Exception` lets it pass.
    """


def ending(error: BaseException) -> tuple[int, str] | None:
    """(status, what a person is told) of a process that this ends; None where it is a defect of ours."""
    match error:
        case UserError():
            return 2, f"error: {printable(error)}"
        case KeyboardInterrupt():
            return 130, str(error) or "interrupted"
        case NotSaved():
            return 1, f"error: {error}"
        case OSError() if trouble := trouble_of(error):
            place = f"{error.filename}: " if error.filename else ""
            return 2, f"error: {printable(place)}{trouble.problem}: {trouble.remedy}."
    return None


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """In a script of one's own, end as the commands do: with a sentence and a status, no traceback.

    Status 2 for what a user can mend, 130 for Ctrl-C, 1 for a last step that found no room. What is a
    defect keeps its traceback.
    """
    try:
        yield
    except BaseException as error:
        if (found := ending(error)) is None:
            raise
        status, said = found
        print(said, file=sys.stderr)
        sys.exit(status)


def check(config, field: str, holds, wanted: str, prefix: str = "") -> None:
    """Raise a UserError that names the flag of a config's field where its value does not hold.

    `holds(value)` says whether the value may stand, `wanted` what to give instead, and `prefix` is
    the name under which an experiment holds the config, e.g. "model.".
    """
    value = getattr(config, field)
    if not holds(value):
        flag = f"--{prefix}{field}".replace("_", "-")
        raise UserError(f"{flag} is {value}: give {wanted}.")
