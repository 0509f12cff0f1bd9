"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The choice that is most like the name; None where none is at least `cutoff` like it (0 to 1)."""
    return next(iter(difflib.get_close_matches(name, list(choices), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, choices: Iterable[str], cutoff: float = 0.5) -> str:
    """The end of a sentence: the nearest choice, where there is one, and all of them."""
    choices = list(choices)
    near = nearest(name, choices, cutoff)
    known = f"known are {', '.join(choices)}"
    return f"did you mean {near}? ({known})" if near else known
