"""When a run logs, looks, saves and dispatches."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Cadence:
    """When a run logs, looks and saves, in steps; each also happens at the last step."""

    steps: int
    log_every: int
    eval_every: int
    checkpoint_every: int
    steps_per_dispatch: int
    checkpoint_seconds: float | None = None  # since the last checkpoint: another reason for one
    verify_every: int = 0  # steps between two that are executed twice; 0: none is

    def is_due(self, step: int, every: int) -> bool:
        """True at every multiple, and at the end."""
        return step % every == 0 or step == self.steps

    def next_count(self, step: int) -> int:
        """Steps of the dispatch that starts at `step`: up to the next boundary, or a full one."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        count = min(
            self.steps - step, self.dispatch_size, *(every - step % every for every in periods)
        )
        if not self.verify_every:
            return count
        # The step that is executed twice is a dispatch of its own.
        return min(count, max(self.verify_every - step % self.verify_every - 1, 1))

    def verifies(self, step: int) -> bool:
        """Whether a step is executed twice."""
        return self.verify_every > 0 and step % self.verify_every == 0

    def dispatches(self, step: int) -> Iterator[tuple[int, int]]:
        """(first step, number of steps) of every dispatch from `step` on."""
        while step < self.steps:
            count = self.next_count(step)
            yield step, count
            step += count

    @property
    def dispatch_size(self) -> int:
        """The most steps that a dispatch can have: no longer than the shortest period."""
        periods = (self.log_every, self.eval_every, self.checkpoint_every)
        return min(self.steps_per_dispatch, *periods)
