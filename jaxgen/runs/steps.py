"""The folder of a run's checkpoints: which steps are there, and how one comes, goes or is moved aside.

A step is a folder named by its number. It comes into being by one rename, whole and with its manifest;
what a killed process leaves has another name and never counts.
"""

import contextlib
import re
import shutil
from pathlib import Path

from jaxgen.runs import stored
from jaxgen.runs.durable import sync
from jaxgen.runs.manifest import Manifest
from jaxgen.runs.stored import Damaged

UNFINISHED = re.compile(r"(\d+)\.(saving|removing|orbax).*")  # what a killed process leaves


class Steps:
    """The saved steps in `folder`; the best is the one where the metric named `best` was lowest."""

    def __init__(self, folder: Path, best: str | None = None):
        self.folder, self._metric = folder, best

    def path(self, step: int) -> Path:
        """Where a step is, or would be."""
        return self.folder / str(step)

    def draft(self, step: int) -> Path:
        """Where a step is written, before it is one."""
        return self.folder / f"{step}.saving"

    def numbers(self) -> list[int]:
        """What looks like a step, sound or not, newest first."""
        if not self.folder.is_dir():
            return []
        names = (path.name for path in self.folder.iterdir() if path.is_dir())
        numbers = (int(name) for name in names if re.fullmatch(r"0|[1-9]\d{0,9}", name))
        return sorted((number for number in numbers if number < 2**31), reverse=True)

    def manifests(self) -> dict[int, Manifest]:
        """The manifests that can be read, by step."""
        found = {}
        for step in self.numbers():
            with contextlib.suppress(Damaged):
                found[step] = stored.read_manifest(self.path(step))
        return found

    def latest(self) -> int | None:
        """The newest step that was saved whole, as far as its manifest tells."""
        return max(self.manifests(), default=None)

    def best(self) -> int | None:
        """The step with the lowest value of the metric that was named, the earliest of equals."""
        return self._best(self.manifests())

    def unfinished(self, beyond: int) -> list[tuple[Path, int]]:
        """What was begun and not finished of steps behind `beyond`: each draft with its step."""
        found = ((path, UNFINISHED.fullmatch(path.name)) for path in sorted(self.folder.iterdir()))
        return [
            (path, int(match[1]))
            for path, match in found
            if match and match[2] != "removing" and int(match[1]) > beyond
        ]

    def finish(self, step: int) -> Path | None:
        """Make a step of its draft, all of which is on the disk; returns what had to be moved aside.

        An older one of its number is replaced; what is no checkpoint is not ours to remove.
        """
        final, moved = self.path(step), None
        if final.is_dir() and step in self.manifests():
            self._remove(final)
        elif final.exists():
            moved = self.move_aside(step)
        self.draft(step).rename(final)
        sync(self.folder)
        return moved

    def prune(self, keep: int) -> None:
        """Remove all but the newest `keep` and the best."""
        manifests = self.manifests()
        kept = {*sorted(manifests)[-keep:], self._best(manifests)}
        for step in set(manifests) - kept:
            self._remove(self.path(step))

    def sweep(self) -> None:
        """Remove what a killed or failed save has left: drafts, never a step."""
        for path in self.folder.glob("*.*"):
            match = UNFINISHED.fullmatch(path.name)
            if match and match[2] in ("saving", "removing"):
                shutil.rmtree(path, ignore_errors=True)

    def move_aside(self, step: int) -> Path | None:
        """Rename to NAME.damaged; None where it may not be renamed, or another process has done it."""
        path = self.path(step)
        names = (f"{path.name}.damaged" + (f"-{i}" if i else "") for i in range(10**6))
        aside = next(place for name in names if not (place := path.with_name(name)).exists())
        try:
            return path.rename(aside)
        except OSError:
            return None

    def _remove(self, path: Path) -> None:
        """Remove a step; killed half way, it no longer looks like one."""
        going = path.with_name(f"{path.name}.removing")
        shutil.rmtree(going, ignore_errors=True)
        path.rename(going)
        shutil.rmtree(going, ignore_errors=True)

    def _best(self, manifests: dict[int, Manifest]) -> int | None:
        values = {
            step: manifest.metrics.get(self._metric or "") for step, manifest in manifests.items()
        }
        known = [(value, step) for step, value in values.items() if value is not None]
        return min(known)[1] if known else None
