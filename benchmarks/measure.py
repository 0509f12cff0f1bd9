"""How a measurement is taken: burn-in, block until ready, n, median and quartiles."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class Timing:
    """Seconds of one call over n repetitions, none of which compiled anything."""

    n: int
    median_seconds: float
    low_seconds: float
    high_seconds: float
    best_seconds: float

    def divided(self, calls: int) -> "Timing":
        """The same for one of so many equal parts of the call."""
        parts = (self.median_seconds, self.low_seconds, self.high_seconds, self.best_seconds)
        return Timing(self.n, *(part / calls for part in parts))


def measure(call: Callable, repetitions: int, burn_in: int = 2) -> Timing:
    """Time `call()`, which must return the arrays to wait for; low and high are the quartiles."""
    for _ in range(burn_in):
        jax.block_until_ready(call())
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(len(times), median, low, high, min(times))
