"""A step, save or collective that never ends is noticed, told with every thread's stack, and ended."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jaxgen.devices.parting import HUNG
from jaxgen.errors import printable
from jaxgen.runs.run import Run, going_on

LEAST_SECONDS = 1800.0  # of patience where no number was given: a program may compile for long
TIMES_THE_SLOWEST = 20
# From the first process that notices to its end: the others wait for the same, and tell where.
GRACE_SECONDS = 5.0


class Watchdog:
    """Ends this process when it stays at one place too long; a context around what it watches.

    Too long is `seconds`, or, where that is None, TIMES_THE_SLOWEST the slowest stay that ended, and
    LEAST_SECONDS at least; 0 is never. Each process of a job writes `hang-RANK.txt` into the run's
    folder: where it is, and the stack of each of its threads.
    """

    def __init__(
        self, folder: Path, seconds: float | None, rank: int = 0, end: Callable = os._exit
    ):
        self._run, self._path = Run(folder), folder / f"hang-{rank}.txt"
        self._seconds, self._rank, self._end = seconds, rank, end
        # Written by the main thread alone, at one stroke; what is counted of it by the other one alone.
        self._place = ["starting"]  # a new list for each stay
        self._slowest = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        if self._seconds != 0:
            self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()

    def at(self, place: str) -> None:
        """The process has come to another place, such as `saving step 40`."""
        self._place = [place]

    @property
    def patience(self) -> float:
        """Seconds that a stay may take."""
        if self._seconds is not None:
            return self._seconds
        return max(LEAST_SECONDS, TIMES_THE_SLOWEST * self._slowest)

    def _watch(self) -> None:
        # The time that this thread has seen pass, since a machine that sleeps, or a process that was
        # stopped and goes on, hangs nowhere.
        last, place, stayed = time.monotonic(), self._place, 0.0
        while not self._done.wait(look := min(1.0, self.patience / 20)):
            now = time.monotonic()
            stayed += min(now - last, 2 * look)
            last = now
            if self._place is not place:
                self._slowest = max(self._slowest, stayed)
                place, stayed = self._place, 0.0
            if stayed > self.patience:
                self._tell(place[0], stayed)
                time.sleep(min(GRACE_SECONDS, self.patience))
                self._end(HUNG)
                return

    def _tell(self, place: str, stayed: float) -> None:
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        where = f"process {self._rank} has been {place} for {stayed:.0f} s"
        with self._path.open("w", encoding="utf-8") as file:
            print(f"{now}: {where}\n", file=file, flush=True)
            faulthandler.dump_traceback(file, all_threads=True)
        said = (
            f"{where}, and is ended: {self._path} has the stack of each thread; go on by "
            f"{going_on(self._run)}"
        )
        print(f"error: {printable(said)}", file=sys.stderr, flush=True)
