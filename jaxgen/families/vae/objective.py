"""A VAE with its negative evidence lower bound (document 002, 4.2.3, sign corrected).

In the catalogue: `vae.gaussian-kl`, `vae.decoder`, `vae.encoder`, `vae.elbo`,
`vae.reparameterisation`.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.equations import vae
from jaxgen.layers.gaussian import Gaussian
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def make_vae_loss(model: nn.Module, binarise: str) -> Callable:
    """`loss(params, extra, batch, keys)`: nats per image, one draw of z each; binarise as `binarised`.

    The model has a latent_size, and methods `encode` (images to a Gaussian) and `decode` (latents to
    logits of pixels, or to a Gaussian over them).
    """

    def draw(key):
        return jax.random.normal(key, (model.latent_size,))

    def loss(params, extra, batch, keys):
        noise_keys, pixel_keys = split_each(keys, 2)
        image = binarised(batch["image"], binarise, pixel_keys)
        reconstruction, kl = elbo_terms(model, params, image, jax.vmap(draw)(noise_keys))
        losses = vae.negative_elbo(reconstruction, kl)
        metrics = {"loss": losses, "reconstruction_nats": reconstruction, "kl_nats": kl}
        return losses.mean(), Aux(
            {name: Mean.of(values) for name, values in metrics.items()}, extra
        )

    return loss


def binarised(
    image: Float[Array, "B height width C"], how: str, keys
) -> Float[Array, "B height width C"]:
    """The images that the model is to explain.

    'threshold': 1 where a pixel is above half. 'draw': 1 with the probability that is the grey level
    (Salakhutdinov & Murray 2008), by each image's own key (B,); with new keys at each step this is
    dynamic binarisation. 'no': the grey levels themselves.
    """
    if how == "threshold":
        return (image > 0.5).astype(image.dtype)
    if how == "draw":
        return jax.vmap(jax.random.bernoulli)(keys, image).astype(image.dtype)
    return image


def elbo_terms(
    model: nn.Module,
    params: Any,
    image: Float[Array, "B height width C"],
    noise: Float[Array, "B Z"],
) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """-log p(x|z), with z from q(z|x) by standard normal noise, and KL(q(z|x) || p(z)), in nats."""
    posterior = model.apply({"params": params}, image, method="encode")
    latent = vae.reparameterise(posterior.mean, posterior.log_variance, noise)
    decoded = model.apply({"params": params}, latent, method="decode")
    pixels = image.reshape(image.shape[0], -1)
    if isinstance(decoded, Gaussian):
        log_density = vae.gaussian_log_density(pixels, decoded.mean, decoded.log_variance)
    else:
        log_density = vae.bernoulli_log_density(pixels, decoded)
    return -log_density, vae.gaussian_kl(posterior.mean, posterior.log_variance)
