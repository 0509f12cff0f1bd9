"""Checkpoints of the whole state: written apart by orbax, sealed with a manifest, then renamed."""

import contextlib
import errno
import logging
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import jax

from jaxgen.devices.processes import is_main
from jaxgen.devices.together import told_by_main, true_of_any
from jaxgen.errors import UserError, printable, trouble_of
from jaxgen.runs import stored
from jaxgen.runs.durable import make_folder, sync_tree
from jaxgen.runs.manifest import (
    Manifest,
    changed_leaves,
    describe,
    refuse_other_config,
    refuse_other_model,
    versions,
)
from jaxgen.runs.run import Run, going_on
from jaxgen.runs.seal import own_digest
from jaxgen.runs.steps import Steps
from jaxgen.runs.stored import Damaged
from jaxgen.training.state import State

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class Vanished(Exception):  # noqa: N818  (a finding, which the caller goes on from)
    """A step went while it was read."""


class Checkpoints:
    """The checkpoints of one run, in `folder`, named by step; a context that ends when all is saved.

    The newest `keep` stay, and the one where the metric named `best` was lowest. `config` (as
    config.json: experiment and fields) is saved with each and compared on the way back. Where the
    disk is full, `on_full` stops with a UserError or goes on without that checkpoint. A `reader` leaves
    everything as it lies, since another process may be training the run.
    """

    def __init__(
        self,
        folder: Path,
        keep: int = 2,
        *,
        config: Mapping[str, Any] | None = None,
        best: str | None = None,
        on_full: Literal["stop", "continue"] = "stop",
        reader: bool = False,
    ):
        # What they would print is either no news or comes back as an exception.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.folder, self._keep, self._config = folder, keep, config
        self._on_full, self._reader, self._steps = on_full, reader, Steps(folder, best)
        self._clocks = time.time(), time.monotonic()  # when the save under way began
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._saving: Future | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error):
        try:
            self.wait()
        finally:
            self._background.shutdown()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there that looks like a step, sound or not."""
        self.wait()
        return not self._steps.numbers()

    @property
    def latest(self) -> int | None:
        """The newest step that was saved whole, as far as its manifest tells."""
        self.wait()
        return self._steps.latest()

    @property
    def best(self) -> int | None:
        """The step with the lowest value of the metric that was named, the earliest of equals."""
        self.wait()
        return self._steps.best()

    def digest(self, step: int) -> str:
        """SHA-256 of a saved step's arrays, as its manifest lists them."""
        leaves = stored.read_manifest(self._steps.path(step)).leaves
        return own_digest({path: leaf.sha256 for path, leaf in leaves.items()})

    def wait(self) -> None:
        """Return when the save under way is done; a UserError where the disk did not take it."""
        saving, self._saving = self._saving, None
        if saving is not None:
            with self._trouble_explained():
                saving.result()

    def save(self, state: State, metrics: Mapping[str, float] | None = None) -> None:
        """Save in the background; the state may be donated as soon as this returns.

        A step of this number that is there already is replaced; a folder that is no checkpoint and
        stands in the way is moved aside. Raises UserError where the disk does not take it.
        """
        from orbax.checkpoint import v1 as orbax

        self.wait()
        self._clocks = time.time(), time.monotonic()
        manifest = describe(state, int(state.step), self._config, metrics)
        with self._trouble_explained():
            if is_main():
                make_folder(self.folder)
                self._steps.sweep()
            # Made in the background, folders that cannot be made leave orbax's threads waiting for them.
            at_once = orbax.options.AsyncOptions(create_directories_asynchronously=False)
            with orbax.Context(async_options=at_once):
                written = orbax.save_async(self._steps.draft(manifest.step).absolute(), state)
            self._saving = self._background.submit(self._commit, written, manifest)

    def restore(self, like: State, step: int | str = "latest") -> State:
        """The state of the newest step that verifies, or the best, or of a number, laid out as `like`.

        Damaged steps that are newer are named on stderr, one line each, and moved aside (not by a
        reader). Raises UserError where none verifies, where `step` does not, and where the model or a
        field of its config is another.
        """
        self.wait()
        while True:
            try:
                return self._restore(like, self.best if step == "best" else step)
            except Vanished:  # the run that trains has a newer one instead
                continue

    def _restore(self, like: State, step: int | str | None) -> State:
        damages: dict[int, str] = {}
        numbers = self._steps.numbers()
        if step != "latest" and step not in numbers:
            there = ", ".join(map(str, reversed(numbers))) or "none"
            raise UserError(
                f"{self.folder} has no step {step}: choose one of those there ({there})."
            )
        steps = iter(numbers if step == "latest" else [step])
        while (number := told_by_main(next(steps, -1))) >= 0:
            try:
                state = self._load(number, like)
            except Damaged as damage:
                if self._reader and told_by_main(not self._steps.path(number).exists()):
                    raise Vanished from None
                damages[number] = str(damage)
                continue
            if is_main():
                self._report(damages, number)
            return state
        found = "; ".join(f"step {number}: {damage}" for number, damage in damages.items())
        raise UserError(
            f"No checkpoint in {self.folder} can be used ({found or 'there is none'}): bring one "
            "back from a copy, or start another run."
        )

    def _load(self, step: int, like: State) -> State:
        """A step's state, verified before and after reading; raises Damaged in all processes alike."""
        from orbax.checkpoint import v1 as orbax

        folder, manifest, state = self._steps.path(step), None, None
        with _damage_shared():
            manifest = stored.read_manifest(folder)
        # Before anything else is read: from here on no shape is larger than this model's.
        refuse_other_model(manifest, like, self._config, str(folder))
        if self._config is not None:
            refuse_other_config(manifest, self._config, str(folder))
        with _damage_shared():
            if is_main():
                stored.check_files(folder, manifest)
                stored.check_arrays(folder, manifest)
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
        )
        with _damage_shared():
            try:
                state = orbax.load(folder.absolute(), shapes)
            except Exception as error:  # orbax raises many kinds
                said = " ".join(str(error).split())[:200]
                raise Damaged(
                    f"{stored.STATE} cannot be read, {type(error).__name__} {said}"
                ) from None
        with _damage_shared():
            if changed := changed_leaves(manifest, state):
                raise Damaged(f"{stored.STATE} has other values at {', '.join(changed[:3])}")
        return state

    def _report(self, damages: dict[int, str], restored: int) -> None:
        """Say what is passed over for a step that verifies, and move it out of the way."""
        going_on = f"going on from step {restored}"
        for step, damage in damages.items():
            moved = None if self._reader else self._steps.move_aside(step)
            where = f"; it is now {moved.name}" if moved else ""
            _warn(f"{self._steps.path(step)}: {damage}: {going_on}{where}")
        if self._reader:
            return
        saved = stored.read_manifest(self._steps.path(restored)).versions
        others = {name: old for name, old in saved.items() if old != versions()[name]}
        if others:
            was = ", ".join(f"{name} {old}" for name, old in others.items())
            now = ", ".join(f"{name} {versions()[name]}" for name in others)
            _warn(f"step {restored} is of {was}, here is {now}: bits may differ by some 1e-7")
        for path, step in self._steps.unfinished(restored):
            _warn(f"{path}: step {step} is not saved to its end: {going_on}")

    def _commit(self, written: Any, manifest: Manifest) -> None:
        """In the background: when orbax is done, the draft becomes the step by one rename.

        Every byte and name is on the disk before an older step goes.
        """
        written.result()
        if not is_main():
            return
        draft = self._steps.draft(manifest.step)
        stored.seal(draft, manifest)
        sync_tree(draft)
        if moved := self._steps.finish(manifest.step):
            _warn(f"{self._steps.path(manifest.step)} was no checkpoint; it is now {moved.name}")
        self._steps.prune(self._keep)

    @contextlib.contextmanager
    def _trouble_explained(self):
        try:
            yield
        except Exception as error:  # orbax and tensorstore raise many kinds
            found, (wall, steady) = trouble_of(error), self._clocks
            jump = (time.time() - wall) - (time.monotonic() - steady)
            if isinstance(error, TimeoutError) and abs(jump) > 60:  # orbax goes by the wall clock
                _warn(
                    f"the clock was set by {jump:.0f} s while a checkpoint was saved, and orbax took "
                    "that for a time-out: this checkpoint was not saved, training goes on"
                )
                return
            if found is None:
                raise
            if is_main():
                self._steps.sweep()  # the part that was written holds room that is needed
            problem = f"The checkpoint cannot be saved in {self.folder} ({found.problem})"
            if found.number in FULL:
                problem = f"The disk of {self.folder} is full"
                if self._on_full == "continue":
                    _warn(f"{problem}: this checkpoint was not saved, training goes on")
                    return
            command = going_on(Run(self.folder.parent))
            raise UserError(f"{problem}: {found.remedy}, then go on by {command}") from error


def _warn(sentence: str) -> None:
    print(f"warning: {printable(sentence)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _damage_shared():
    """What damages a step for one process does so for all, or they would wait for each other."""
    problem: Damaged | None = None
    try:
        yield
    except Damaged as damage:
        problem = damage
    if true_of_any(problem is not None):
        raise problem or Damaged("another process could not read it")
