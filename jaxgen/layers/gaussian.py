"""A Gaussian as networks give it: mean and log-variance, any real numbers."""

from typing import NamedTuple

from jaxtyping import Array, Float


class Gaussian(NamedTuple):
    """The parameters of a Gaussian with a diagonal covariance."""

    mean: Float[Array, "B size"]
    log_variance: Float[Array, "B size"]

    @classmethod
    def of(cls, features: Float[Array, "B both"]) -> "Gaussian":
        """The first half of the features as means, the second as log-variances."""
        size = features.shape[1] // 2
        return cls(features[:, :size], features[:, size:])
