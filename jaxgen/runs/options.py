"""What a person sets of a run beside its experiment; no jax here, so that help is quick."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from jaxgen.errors import UserError, check


class Guards(NamedTuple):
    """What a run does beside its own work: --watchdog, --verify-steps, --profile; 0: not at all."""

    watchdog: float | None
    verify_steps: int
    profile: int = 0


NO_GUARDS = Guards(0.0, 0)


class Origin(NamedTuple):
    """Another run whose weights a new one begins with, but for leaves whose path the pattern matches."""

    run: str
    without: str | None = None


@dataclass(frozen=True)
class RunOptions:
    """Where a run lives and how this process behaves; not part of the experiment."""

    name: str | None = None
    """The run directory's name; the experiment's name where none is given."""
    runs: Path = Path("runs")
    """The directory that holds the runs."""
    resume: str | None = None
    """Go on with the run of this name: every field comes from its config.json. Only how long it trains,
    and how often it logs, judges and saves, may be another."""
    parallel: Literal["jit", "pmap", "mesh"] | None = None
    """One device; a copy of the state on each; or arrays split over a mesh. None: jit on one device,
    pmap on several of one host, mesh over several hosts. The result is the same."""
    mesh: str | None = None
    """Sizes of the mesh, e.g. data=2,fsdp=2,model=2: the batch is split over data and fsdp, the state
    over fsdp, heads and feed-forward over model."""
    feed: Literal["device", "host"] | None = None
    """Copy the whole training set to every device, or keep it on the host and send batches ahead. None:
    by its size. The result is the same."""
    tune_allocator: bool = True
    """Linux with glibc: keep freed memory instead of returning it after each step (faster)."""
    watchdog: float | None = None
    """Seconds that a step, a save or a wait for other processes may take, before each thread's stack
    is written into the run and the process ended; None: 20 times the slowest so far, at least 1800; 0:
    any number."""
    verify_steps: int = 0
    """Execute each step of a multiple of this twice and compare the bits: finds memory and processors
    that fail silently. 0: never."""

    profile: int = 0
    """Record so many steps behind the first dispatch, as a trace in the run's folder profile/, which
    TensorBoard's profiler and ui.perfetto.dev open."""

    init_from: str | None = None
    """Begin with a copy of the weights of another run of --runs, at its newest checkpoint; that run may
    then go. (A language model also has --start.run, which it stands on, as LoRA needs.)"""
    init_without: str | None = None
    """A regular expression: leaves with such a path, as params/output, are not taken from there."""

    def __post_init__(self):
        for name in ("resume", "init_from"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, self._name_of(given))
        if self.init_without is not None and self.init_from is None:
            raise UserError("--init-without belongs to --init-from: name a run by that.")
        check(self, "init_without", _is_pattern, "a regular expression")
        check(self, "watchdog", lambda x: x is None or 0 <= x < 1e9, "a number of seconds, or 0")
        for name in ("verify_steps", "profile"):
            check(self, name, lambda x: 0 <= x < 2**31, "0 or more")

    def _name_of(self, given: str) -> str:
        """The name of a run, given so or as its path, as it is printed."""
        path = Path(given)
        return path.name if path.name and path.parent == self.runs else given

    @property
    def guards(self) -> Guards:
        """What the run is to look out for."""
        return Guards(self.watchdog, self.verify_steps, self.profile)

    @property
    def origin(self) -> Origin | None:
        """The run to begin with, if there is one."""
        return None if self.init_from is None else Origin(self.init_from, self.init_without)


def _is_pattern(text: str | None) -> bool:
    try:
        return text is None or bool(re.compile(text))
    except re.error:
        return False
