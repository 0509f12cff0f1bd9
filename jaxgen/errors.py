"""The one exception for errors that a user can cause and mend."""


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


class Interrupted(Exception):  # noqa: N818  (a wish, not an error)
    """A person stopped the run; the message says what was saved and how to go on."""


def check(config, field: str, holds, wanted: str, prefix: str = "") -> None:
    """Raise a UserError that names the flag of a config's field where its value does not hold.

    `holds(value)` says whether the value may stand, `wanted` what to give instead, and `prefix` is
    the name under which an experiment holds the config, e.g. "model.".
    """
    value = getattr(config, field)
    if not holds(value):
        flag = f"--{prefix}{field}".replace("_", "-")
        raise UserError(f"{flag} is {value}: give {wanted}.")
