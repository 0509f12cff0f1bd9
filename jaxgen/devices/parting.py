"""How the processes of a job part: one that stops for a reason of its own tells the others, who follow.

Untold, they wait for it in a collective, until its death has jaxlib abort them with a screen of C++.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from jaxgen import interrupts

STOP = "jaxgen/stop"  # in the store that jax's coordinator keeps; there when a process stops
# How long a process that stops for a reason which probably all have (bad input, Ctrl-C) waits to leave
# together with them. If process 0 went first, jaxlib would abort the others before their own last word.
TOGETHER_SECONDS = 2.0
LOOK_SECONDS = 0.5  # between two looks whether another has told that it stops
FOLLOW_SECONDS = 1.0  # then, for a word of its own, before a process follows
# How a process ends in which nothing failed: one that has followed, and, as of timeout(1), one that has
# waited too long.
FOLLOWED, HUNG = 75, 124

_leaving = threading.Event()  # this process is on its way out by itself
_following = False  # whether it follows another


def tell_others() -> None:
    """Tell the other processes that this one stops."""
    import jax

    with contextlib.suppress(Exception):  # another was first, or the coordinator is gone
        _client().key_value_set(STOP, str(jax.process_index()))


def follow_others(silent: bool) -> Callable[[], None]:
    """From now on this process ends soon after another has told that it stops; returns what ends that.

    `silent`: a person sees what all processes say in one place, so the other's word is enough.
    """
    _leaving.clear()
    thread = threading.Thread(target=_follow, args=(silent,), name="follower", daemon=True)
    thread.start()

    def forget() -> None:
        # A thread that asks when the interpreter goes away would abort the process.
        _leaving.set()
        thread.join()

    return forget


def leave_together() -> None:
    """Leave the job when all others do, after some seconds at most."""
    import jax

    _leaving.set()
    waiting = threading.Thread(target=jax.distributed.shutdown, daemon=True)
    waiting.start()
    waiting.join(TOGETHER_SECONDS)


def end(status: int) -> NoReturn:
    """End this process at once; with a status of its own, unless it follows another."""
    if _following:
        time.sleep(TOGETHER_SECONDS)  # the thread that follows is quicker
        status = FOLLOWED
    interrupts.end(status)


def _follow(silent: bool) -> None:
    global _following
    while (teller := _teller()) is None:
        if _leaving.wait(LOOK_SECONDS):
            return
    if _leaving.wait(FOLLOW_SECONDS):
        return
    _following = True
    if not silent:
        said = f"process {teller} has stopped, and this one follows"
        print(said, file=sys.stderr, flush=True)
    # What waits for the others is told by each library that they are gone.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    leave_together()
    interrupts.end(FOLLOWED)


def _teller() -> str | None:
    try:
        return _client().key_value_try_get(STOP)
    except Exception:  # nobody has told, or the coordinator is gone
        return None


def _client() -> Any:
    from jax._src import distributed  # jax shows it nowhere else

    return distributed.global_state.client
