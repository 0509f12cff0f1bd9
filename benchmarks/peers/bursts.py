"""Sides timed in turn, so that what slows the machine slows all of them, and was it slowed at all?

A side is `run(steps)`, which returns when so many steps are done. Times are seconds of one step.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Run = Callable[[int], None]
_STAT = Path("/proc/stat")

# A quiet machine's matmul ceilings, each the best of many, repeat within 5 %, and 15 % is three times
# that. Less than the best of this process by as much is a machine that grew slower between the cases.
CEILING_TOLERANCE = 0.15
# A neighbour that stays from the first matmul to the last leaves the ceilings equal, for the best of
# many slips between its turns; a step of many matmuls does not. A quiet machine's own services take 1
# or 2 % of the two cores; 8 % is a sixth of one, and a thread that waits for the other waits for it.
ELSEWHERE_TOLERANCE = 0.08


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of n values."""

    n: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The quartiles are those of the values themselves, not of what they were drawn from."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(len(values), median, low, high)


def interleave(
    sides: Mapping[str, Run],
    steps: Mapping[str, int],
    bursts: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of a step of each side, one number for each of its bursts of so many steps.

    Every round takes each side once, and begins with the next one, so that none always follows the
    same other. A step that is not timed goes before: it fills the caches and wakes the threads.
    """
    names, seconds = list(sides), {name: [] for name in sides}
    for burst in range(bursts):
        first = burst % len(names)
        for name in names[first:] + names[:first]:
            sides[name](1)
            start = clock()
            sides[name](steps[name])
            seconds[name].append((clock() - start) / steps[name])
    return seconds


def steps_in_burst(
    run: Run, size: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> int:
    """How many steps, a multiple of `size`, take about so many seconds; `size` at least."""
    steps = size
    while True:
        start = clock()
        run(steps)
        taken = clock() - start
        if taken >= seconds / 4:  # long enough to tell
            return size * max(1, round(steps / size * seconds / taken))
        steps *= 2


def speed(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Our speed in theirs, over the bursts of a round: what slowed a whole round cancels."""
    return Spread.of([b / a for a, b in zip(ours, theirs, strict=True)])


def compare(
    seconds: Mapping[str, Sequence[float]], theirs: Sequence[str] = ("eager", "compiled")
) -> dict[str, Any]:
    """What `interleave`'s times say of a side "ours".

    Every side's Spread, which of theirs that were timed is the fastest, by its median, and the Spread of
    our speed in that one's.
    """
    sides = {name: Spread.of(values) for name, values in seconds.items()}
    faster = min((name for name in theirs if name in sides), key=lambda name: sides[name].median)
    return {
        "seconds": {name: asdict(side) for name, side in sides.items()},
        "faster": faster,
        "speed": asdict(speed(seconds["ours"], seconds[faster])),
    }


def largest_difference(
    ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]
) -> float:
    """The largest |ours - theirs| / |ours| of the losses that theirs names, over the same steps."""
    differences = [
        abs(expected[name] - loss) / abs(expected[name])
        for expected, losses in zip(ours, theirs, strict=True)
        for name, loss in losses.items()
    ]
    return math.inf if any(math.isnan(each) for each in differences) else max(differences)


def best_rate(run: Callable[[], object], flops: float, repetitions: int) -> float:
    """FLOP per second of the fastest of so many calls, after two that are not counted."""
    times = []
    for _ in range(repetitions + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return flops / min(times[2:])


@dataclass(frozen=True)
class Ceiling:
    """The best matmul rates, in FLOP per second, of a library before and after the bursts."""

    before: float
    after: float

    @property
    def best(self) -> float:
        """The higher one."""
        return max(self.before, self.after)

    @property
    def differs(self) -> bool:
        """Whether one is below the other by more than the tolerance."""
        return min(self.before, self.after) < (1 - CEILING_TOLERANCE) * self.best


def disturbance(
    ceilings: Mapping[str, Ceiling], best: Mapping[str, float], elsewhere: float | None
) -> str | None:
    """What shows that the machine was disturbed, or None.

    Args:
      ceilings: by library, of this case.
      best: by library, the best rate that this process has seen, this case's among them.
      elsewhere: the share of the cores' time that other processes took; None where it is not known.
    """
    for library, ceiling in ceilings.items():
        rates = f"{ceiling.before / 1e9:.0f} GFLOP/s before and {ceiling.after / 1e9:.0f} after"
        if ceiling.differs:
            return f"{library}'s matmul reached {rates}"
        if ceiling.best < (1 - CEILING_TOLERANCE) * best[library]:
            return f"{library}'s matmul reached {rates}, but {best[library] / 1e9:.0f} earlier"
    if elsewhere is not None and elsewhere > ELSEWHERE_TOLERANCE:
        return f"other processes took {elsewhere:.0%} of the cores' time"
    return None


class Elsewhere:
    """The share of these cores' time that other processes take, from its making on."""

    def __init__(self, cores: Iterable[int]):
        self.cores = tuple(cores)
        self._start = self._now()

    def share(self) -> float | None:
        """In [0, 1]; None where the system does not tell (it does on Linux)."""
        if not (_STAT.exists() and self.cores):
            return None
        wall, own, busy = (b - a for a, b in zip(self._start, self._now(), strict=True))
        return min(1.0, max(0.0, (busy - own) / (wall * len(self.cores))))

    def _now(self) -> tuple[float, float, float]:
        """(wall, this process's, all processes') seconds."""
        busy = busy_seconds(_STAT.read_text(), self.cores) if _STAT.exists() else math.nan
        return time.perf_counter(), time.process_time(), busy


def busy_seconds(stat: str, cores: Iterable[int]) -> float:
    """Of Linux's /proc/stat: how long these cores have worked, for this system or another one.

    A line is `cpuN user nice system idle iowait irq softirq steal ...` in ticks; a virtual machine's
    stolen time is another one's. See proc_stat(5).
    """
    wanted, ticks = {f"cpu{core}" for core in cores}, 0
    for line in stat.splitlines():
        name, *values = line.split()
        if name in wanted:
            user, nice, system, _, _, irq, softirq, steal = map(int, values[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")
