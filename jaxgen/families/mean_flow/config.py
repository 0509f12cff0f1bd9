"""What a person sets of a mean flow's samples; no jax here, so that help is quick."""

from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class MeanFlowSampling:
    """How samples are drawn."""

    count: int = 64
    """Samples in the picture."""
    num_steps: int = 1
    """N, steps from noise to data, each one evaluation of the network."""
    label: int = -1
    """The class to draw; -1 draws all in turn."""

    def __post_init__(self):
        check(self, "count", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")
        check(self, "num_steps", lambda x: 1 <= x <= 10_000, "1 to 10,000", "sampling.")
        check(self, "label", lambda x: x >= -1, "a class, or -1 for all", "sampling.")
