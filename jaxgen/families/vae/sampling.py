"""Images from a VAE's prior."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.families.vae.latents import draw_prior, noise_size
from jaxgen.families.vae.likelihood import Likelihood


@partial(jax.jit, static_argnums=(0, 3, 4))
def sample_vae(
    model: nn.Module, params: Any, key: Any, count: int, likelihood: Likelihood | None = None
) -> Float[Array, "count height width C"]:
    """z from the prior, then the mean of p(x|z): grey levels rather than drawn pixels."""
    latent = draw_prior(model, params, jax.random.normal(key, (count, noise_size(model))))
    return decoded_images(model, params, latent, likelihood or Likelihood())


@partial(jax.jit, static_argnums=(0, 3))
def decoded_images(
    model: nn.Module, params: Any, latent: Float[Array, "count Z"], likelihood: Likelihood
) -> Float[Array, "count height width C"]:
    """The mean of p(x|z) as images."""
    outputs = model.apply({"params": params}, latent, method="decode")
    return likelihood.mean(outputs).reshape(latent.shape[0], *model.image_shape)
