"""How far a long preparation has come, for a person who waits."""

import sys
import time
from collections.abc import Callable

Tell = Callable[[float], None]
"""Is told the share of the work that is done, from 0 to 1."""


JUDGING_SECONDS = 5.0
"""Between two lines of an evaluation, which most often is over before the first."""


def judging() -> Tell:
    """Prints how far a look at the held-out part has come."""
    return printed("judging the held-out part", JUDGING_SECONDS)


def printed(what: str, seconds: float = 2.0) -> Tell:
    """Prints how far a work has come, at most once in so many seconds."""
    last = time.monotonic()

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            print(f"{what}: {share:.0%}", file=sys.stderr, flush=True)

    return tell
