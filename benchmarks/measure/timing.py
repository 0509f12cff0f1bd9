"""How a measurement is taken: burn-in, block until ready, n, median and quartiles."""

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.devices.timing import blocked_seconds


@contextlib.contextmanager
def compiling_anew() -> Iterator[None]:
    """Without the persistent cache, so that compile times are real.

    Programs for absent chips are not looked for in it either, where they can be written but not read.
    """
    config: Any = jax.config  # its options are made at run time
    before = config.jax_enable_compilation_cache
    try:
        jax.config.update("jax_enable_compilation_cache", False)
        compilation_cache.reset_cache()  # or what was decided at the first compilation stands
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


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
    times = blocked_seconds(call, repetitions, burn_in)
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(len(times), median, low, high, min(times))
