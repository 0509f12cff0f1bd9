"""Examples from a GAN's generator."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float


def sample_gan(
    apply: Callable, weights: Any, key: Any, count: int, latent_size: int
) -> Float[Array, "count *shape"]:
    """z ~ N(0, I), then x = G(z); apply(weights, noise) is the generator."""
    return apply(weights, jax.random.normal(key, (count, latent_size)))
