"""The losses of a GAN by name; no jax here, so that help is quick."""

from collections.abc import Mapping
from types import MappingProxyType

LOSS_NAMES = (
    "non-saturating", "saturating", "wasserstein", "wasserstein-gp", "hinge", "least-squares",
)  # fmt: skip
LOG_LOSSES = ("non-saturating", "saturating")
"""Those of a probability, whose labels can be smoothed."""
AS_PRINTED: Mapping[str, str] = MappingProxyType(
    {
        "gan.minimax:as-printed": "D descends the value that it should ascend, and learns to call real"
        " data generated",
        "gan.wasserstein-value:as-printed": "nothing bounds the critic's slope, so that its scores grow"
        " for ever",
        "gan.wasserstein-critic-loss:as-printed": "the critic raises the scores of real and generated"
        " data alike, and tells the generator nothing",
        "gan.label-smoothing:as-printed": "a label of 0.1 for generated data keeps up"
        " the scores of samples far from all real ones",
    }
)
"""The documents' mistakes that can be trained with, and what comes of each."""
CLIPPED = ("wasserstein", "gan.wasserstein-critic-loss:as-printed")
"""The losses whose critic is kept smooth by clipping its weights."""
