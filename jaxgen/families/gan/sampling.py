"""Images from a GAN's generator."""

from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float


def sample_gan(
    generator: nn.Module, params: Any, key: Any, count: int
) -> Float[Array, "count height width C"]:
    """z ~ N(0, I), then x = G(z)."""
    return generator.apply(
        {"params": params}, jax.random.normal(key, (count, generator.latent_size))
    )
