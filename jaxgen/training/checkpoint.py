"""Checkpoints of the whole state, through orbax: written apart, renamed when complete."""

import contextlib
import logging
from pathlib import Path

import jax

from jaxgen.errors import UserError
from jaxgen.training.state import State


class Checkpoints:
    """The checkpoints of one run, in `folder`, named by step; a context that ends when all is saved.

    Raises UserError where the disk is full or a checkpoint cannot be read.
    """

    def __init__(self, folder: Path, keep: int = 2):
        from orbax.checkpoint import v1 as orbax

        # A killed save leaves a temporary folder; that orbax finds and replaces it is no news.
        logging.getLogger("absl").setLevel(logging.ERROR)
        policies = orbax.training
        self.folder = folder
        self._checkpointer = policies.Checkpointer(
            folder.absolute(),
            save_decision_policy=policies.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=policies.preservation_policies.LatestN(keep),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error):
        with self._full_disk_explained():
            self._checkpointer.close()

    @property
    def latest(self) -> int | None:
        """The newest step that was saved whole."""
        newest = self._checkpointer.latest
        return newest and newest.step

    def save(self, state: State) -> None:
        """Save in the background, once per step; the state may be donated as soon as this returns."""
        step = int(state.step)
        if step != self.latest:
            with self._full_disk_explained():
                self._checkpointer.save_async(step, state)

    def restore(self, like: State) -> State:
        """The newest checkpoint, with the structure, shapes and dtypes of `like`."""
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
        )
        try:
            return self._checkpointer.load(self.latest, shapes)
        except Exception as error:  # orbax raises many kinds: KeyError, ValueError, its own
            # The other reads under way fail too; asyncio would print each of their tracebacks.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            raise UserError(
                f"{self.folder / str(self.latest)} cannot be read as this model's state "
                f"({type(error).__name__}): if it is damaged, move it away and the one before it is "
                "used; if config.json was changed, change it back."
            ) from error

    @contextlib.contextmanager
    def _full_disk_explained(self):
        try:
            yield
        except Exception as error:
            if "No space left on device" not in str(error):
                raise
            raise UserError(
                f"The disk of {self.folder} is full: make room, then go on with the run by --resume."
            ) from error
