"""Checkpoints of the whole state, through orbax: written apart, renamed when complete."""

from pathlib import Path

import jax

from jaxgen.training.state import State


class Checkpoints:
    """The checkpoints of one run, in `folder`, named by step; a context that ends when all is saved."""

    def __init__(self, folder: Path, keep: int = 2):
        from orbax.checkpoint import v1 as orbax

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
            self._checkpointer.save_async(step, state)

    def restore(self, like: State) -> State:
        """The newest checkpoint, with the structure, shapes and dtypes of `like`."""
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
        )
        return self._checkpointer.load(self.latest, shapes)
