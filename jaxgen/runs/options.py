"""What a person sets of a run beside its experiment; no jax here, so that help is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from jaxgen.errors import check


class Guards(NamedTuple):
    """What a run looks out for beside its own work: --watchdog and --verify-steps; 0: not at all."""

    watchdog: float | None
    verify_steps: int


NO_GUARDS = Guards(0.0, 0)


@dataclass(frozen=True)
class RunOptions:
    """Where a run lives and how this process behaves; not part of the experiment."""

    name: str | None = None
    """The run directory's name; the experiment's name where none is given."""
    runs: Path = Path("runs")
    """The directory that holds the runs."""
    resume: str | None = None
    """Go on with the run of this name: every field comes from its config.json, steps may grow."""
    parallel: Literal["jit", "pmap", "mesh"] | None = None
    """One device; a copy of the state on each; or arrays split over a mesh. None: jit on one device,
    pmap on several of one host, mesh over several hosts. The result is the same."""
    mesh: str | None = None
    """Sizes of the mesh, e.g. data=2,fsdp=2,model=2: the batch is split over data and fsdp, the state
    over fsdp, heads and feed-forward over model."""
    tune_allocator: bool = True
    """Linux with glibc: keep freed memory instead of returning it after each step (faster)."""
    watchdog: float | None = None
    """Seconds that a step, a save or a wait for other processes may take, before each thread's stack
    is written into the run and the process ended; None: 20 times the slowest so far, at least 1800; 0:
    any number."""
    verify_steps: int = 0
    """Execute each step of a multiple of this twice and compare the bits: finds memory and processors
    that fail silently. 0: never."""

    def __post_init__(self):
        check(self, "watchdog", lambda x: x is None or 0 <= x < 1e9, "a number of seconds, or 0")
        check(self, "verify_steps", lambda x: 0 <= x < 2**31, "0 or more")

    @property
    def guards(self) -> Guards:
        """What the run is to look out for."""
        return Guards(self.watchdog, self.verify_steps)
