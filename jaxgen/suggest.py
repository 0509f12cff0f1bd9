"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The choice most like the name, None where none is like it by the cutoff.

    Args:
      name: what was asked for. choices: what there is.
      cutoff: from 0, where the nearest is named however far it is, to 1, where only the same name is.
        difflib's ratio, twice the characters in common over those of both.
    """
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(name: str, choices: Iterable[str], cutoff: float = 0.5) -> str:
    """The end of a sentence: the nearest choice, where there is one, and all of them."""
    choices = list(choices)
    near = nearest(name, choices, cutoff)
    known = f"known are {', '.join(choices)}"
    return f"did you mean {near}? ({known})" if near else known
