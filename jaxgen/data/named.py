"""Public data sets that are not on board, found by their usual names."""

import os
from collections.abc import Sequence
from pathlib import Path

from jaxgen.errors import UserError

VARIABLE = "JAXGEN_DATA"
"""The environment variable that names a folder of data sets."""


def find_named(source: str, name: str, others: Sequence[str], remedy: str) -> Path:
    """$JAXGEN_DATA/name, or the first of the other places that exists.

    Raises UserError with the remedy where there is none.
    """
    own = os.environ.get(VARIABLE)
    places = [Path(own) / name] if own else []
    places += [Path(other) for other in others]
    for place in places:
        if place.exists():
            return place
    raise UserError(
        f"--data {source} is not on this machine: {remedy}, or put {name} into a folder and name that "
        f"by ${VARIABLE}."
    )
