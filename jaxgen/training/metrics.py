"""Metrics as sums with counts: they add over batches and devices, and are divided on the host."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Mean(NamedTuple):
    """total / count, not yet divided."""

    total: Float[Array, ""]
    count: Float[Array, ""]

    @classmethod
    def of(cls, values: Float[Array, "..."]) -> "Mean":
        """The mean of all the values, e.g. per-example losses."""
        return cls(jnp.sum(values), jnp.float32(values.size))

    @classmethod
    def weighted(cls, values: Float[Array, "..."], weights: Float[Array, "..."]) -> "Mean":
        """The mean of the values, each as often as its weight says."""
        return cls(jnp.sum(weights * values), jnp.sum(weights))


Metrics = dict[str, Mean]


def to_floats(metrics: Metrics) -> dict[str, float]:
    """Read the metrics from the device (this waits for it) and divide in float32 precision."""
    return {name: float(mean.total / mean.count) for name, mean in metrics.items()}
