"""Latents of a VAE, in one layer or in two: draws, densities, divergences.

Eqs. are of `equations.bounds`; `module` says what each half of a model makes.

In the catalogue: `vae.decoder`, `vae.gaussian-kl`, `vae.reparameterisation`, `vae.sampled-kl`.
"""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import bounds, vae
from jaxgen.families.vae.module import Autoencoder, TwoLayerAutoencoder
from jaxgen.layers.gaussian import Gaussian


class Layer(NamedTuple):
    """A layer's draw (B, size), what it was drawn from, and its prior; None: N(0, I)."""

    latent: Float[Array, "B size"]
    posterior: Gaussian
    prior: Gaussian | None


def noise_size(model: Autoencoder) -> int:
    """Standard normal numbers that one draw takes."""
    above = model.upper_size if isinstance(model, TwoLayerAutoencoder) else 0
    return model.latent_size + above


def draw_layers(
    model: Autoencoder, params: Any, posterior: Gaussian, noise: Float[Array, "B both"]
) -> list[Layer]:
    """The layers from the lowest on, each drawn from q given the one beneath it."""
    size = model.latent_size
    latent = vae.reparameterise(*posterior, noise[:, :size])
    if not isinstance(model, TwoLayerAutoencoder):
        return [Layer(latent, posterior, None)]
    upper = model.apply({"params": params}, latent, method="encode_upper")
    above = vae.reparameterise(upper.mean, upper.log_variance, noise[:, size:])
    prior = model.apply({"params": params}, above, method="decode_upper")
    return [Layer(latent, posterior, prior), Layer(above, upper, None)]


def draw_prior(model: Autoencoder, params: Any, noise: Float[Array, "B both"]):
    """z₁ from the prior, (B, latent_size)."""
    size = model.latent_size
    if not isinstance(model, TwoLayerAutoencoder):
        return noise
    prior = model.apply({"params": params}, noise[:, size:], method="decode_upper")
    return vae.reparameterise(prior.mean, prior.log_variance, noise[:, :size])


def log_posterior(layer: Layer) -> Float[Array, "*B"]:
    """log q of the draw."""
    return vae.gaussian_log_density(layer.latent, *layer.posterior)


def log_prior(layer: Layer) -> Float[Array, "*B"]:
    """log p of the draw."""
    zeros = jnp.zeros_like(layer.latent)
    return vae.gaussian_log_density(layer.latent, *(layer.prior or (zeros, zeros)))


def kl_nats(layers: list[Layer], how: str) -> Float[Array, "*B"]:
    """KL(q ‖ p) summed over latents and layers; 'analytic' wherever it is known, else by Eq. (2)."""
    return total(
        vae.gaussian_kl(*layer.posterior)
        if how == "analytic" and layer.prior is None
        else bounds.sampled_kl(log_posterior(layer), log_prior(layer))
        for layer in layers
    )


def total(parts: Iterable[Float[Array, "*B"]]) -> Float[Array, "*B"]:
    """Their sum, over layers."""
    return functools.reduce(jnp.add, parts)


def kl_of_each(layers: list[Layer]) -> Float[Array, "B both"]:
    """The divergence of each latent by itself, in all layers."""
    alone = [Layer(*_each(layer)) for layer in layers]
    return jnp.concatenate([kl_nats([layer], "analytic") for layer in alone], axis=1)


def _each(layer: Layer):
    """The same with an axis of one number behind, over which the densities sum."""
    return (
        layer.latent[..., None],
        Gaussian(*(part[..., None] for part in layer.posterior)),
        layer.prior and Gaussian(*(part[..., None] for part in layer.prior)),
    )
