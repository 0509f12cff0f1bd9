"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too. What is drawn from is
an argument of compiled programs: let it be hashable, as a frozen dataclass is.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class SoundModel(Protocol):
    """Signal (B, T), with features (B, frames, C) and a label (B,) or None, to outputs (B, T, V).

    They are the parameters of the distribution of the sample behind each, see `output.Output`.
    """

    def apply(self, variables: Any, *inputs: Any, method: Any = None) -> Any:
        """Outputs of (signal, features, label), or the method of that name; of variables["params"]."""

    def conditions(self, features: Any, label: Any) -> Any:
        """What each frame tells each layer: arrays (B or 1, frames or 1, ...)."""
        ...

    def empty_queues(self, batch_size: int) -> Any:
        """What layers remember before the first sample."""
        ...

    def step(self, queues: Any, t: Any, before: Any, told: Any) -> tuple[Any, Any]:
        """(queues, outputs (B, V)) of sample t, of the one before it (B,) and its frame's conditions."""
        ...
