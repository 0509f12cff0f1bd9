"""How far a long preparation has come, for a person who waits."""

import sys
import time
from collections.abc import Callable

Tell = Callable[[float], None]
"""Is told the share of the work that is done, from 0 to 1."""


def printed(what: str, seconds: float = 2.0) -> Tell:
    """Prints how far a work has come, at most once in so many seconds."""
    last = time.monotonic()

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            print(f"{what}: {share:.0%}", file=sys.stderr, flush=True)

    return tell
