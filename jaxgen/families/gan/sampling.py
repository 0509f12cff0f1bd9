"""Examples from a GAN's generator."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float


def sample_gan(
    apply: Callable, weights: Any, key: Any, count: int, latent_size: int
) -> Float[Array, "count *shape"]:
    """z ~ N(0, I), then x = G(z); apply(weights, noise) is the generator."""
    return apply(weights, jax.random.normal(key, (count, latent_size)))


def sample_in_pieces(
    apply: Callable, weights: Any, count: int, latent_size: int, piece: int = 500
) -> Float[np.ndarray, "count *shape"]:
    """So many from fixed keys, one for each example, a piece at a time: any number has room."""
    draw = jax.jit(
        lambda weights, keys: apply(
            weights, jax.vmap(lambda key: jax.random.normal(key, (latent_size,)))(keys)
        )
    )
    keys = jax.random.split(jax.random.key(0), -(-count // piece) * piece)
    parts = [draw(weights, keys[first : first + piece]) for first in range(0, count, piece)]
    return np.concatenate(parts)[:count]
