"""Images from a VAE's prior."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.layers.gaussian import Gaussian


def sample_vae(
    model: nn.Module, params: Any, key: Any, count: int
) -> Float[Array, "count height width C"]:
    """z ~ N(0, I), then the mean of p(x|z): grey levels rather than drawn pixels."""
    latent = jax.random.normal(key, (count, model.latent_size))
    decoded = model.apply({"params": params}, latent, method="decode")
    pixels = decoded.mean if isinstance(decoded, Gaussian) else jax.nn.sigmoid(decoded)
    return jnp.clip(pixels, 0.0, 1.0).reshape(count, *model.image_shape)
