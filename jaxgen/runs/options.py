"""What a person sets of a run beside its experiment; no jax here, so that help is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
    feed: Literal["device", "host"] | None = None
    """Copy the whole training set to every device, or keep it on the host and send batches ahead. None:
    by its size. The result is the same."""
    tune_allocator: bool = True
    """Linux with glibc: keep freed memory instead of returning it after each step (faster)."""
