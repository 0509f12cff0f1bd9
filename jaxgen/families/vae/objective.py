"""A VAE's losses: −ELBO (document 002, 4.2.3, sign corrected), and importance-weighted bounds.

In the catalogue: `vae.elbo`, `vae.free-bits`, `vae.importance-weighted`, `vae.log-weight`,
`vae.objective`, `vae.reparameterisation`, `vae.sampled-kl`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import bounds, vae
from jaxgen.families.vae.latents import (
    Layer,
    draw_layers,
    kl_nats,
    kl_of_each,
    log_posterior,
    log_prior,
    noise_size,
    total,
)
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.module import Autoencoder
from jaxgen.training.batch import mean_over_batch, split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


class Objective(NamedTuple):
    """What is minimised; see the fields of the same names of `family.VAE`."""

    estimator: str = "elbo"
    samples: int = 1
    kl: str = "analytic"
    beta: float = 1.0
    kl_warmup: int = 0
    free_bits: float = 0.0

    @property
    def extra(self) -> dict[str, Array] | None:
        """What a step carries to the next: how many updates there were, where β grows with them.

        With free bits too: a batch whose means count must not be taken in pieces one by one, and
        `training.gradient` takes a loss with an extra side by side.
        """
        carries = self.kl_warmup or self.free_bits
        return {"updates": jnp.zeros((), jnp.int32)} if carries else None


def make_vae_loss(
    model: Autoencoder,
    binarise: str,
    likelihood: Likelihood | None = None,
    objective: Objective | None = None,
) -> Callable:
    """`loss(params, extra, batch, keys)`: nats per image; binarise as `binarised`.

    Bernoulli pixels and −ELBO by one draw where the rest is not given.
    """
    likelihood, objective = likelihood or Likelihood(), objective or Objective()
    weighted = objective.estimator != "elbo"
    value_of = _weighted_value if weighted else _elbo_value

    def draw(key):
        return jax.random.normal(key, (objective.samples, noise_size(model)))

    def loss(params, extra, batch, keys):
        noise_keys, pixel_keys = split_each(keys, 2)
        image = binarised(batch["image"], binarise, pixel_keys)
        noise = draw_each(noise_keys)
        losses, nats, kl = value_of(model, likelihood, objective, params, extra, image, noise)
        metrics = {"loss": losses, "reconstruction_nats": nats, "kl_nats": kl}
        if objective.extra is not None:
            extra = extra | {"updates": extra["updates"] + 1}
        return losses.mean(), Aux({name: Mean.of(each) for name, each in metrics.items()}, extra)

    def one(key):
        return jax.random.normal(key, (noise_size(model),))

    def draw_each(keys) -> Float[Array, "B K both"]:
        # One draw as it always was; more are drawn side by side.
        return jax.vmap(one)(keys)[:, None] if objective.samples == 1 else jax.vmap(draw)(keys)

    return loss


def binarised(
    image: Float[Array, "B height width C"], how: str, keys
) -> Float[Array, "B height width C"]:
    """The images that the model is to explain.

    'threshold': 1 where a pixel is above half. 'draw': 1 with the probability that is the grey level
    (Salakhutdinov & Murray 2008), by each image's own key (B,); with new keys at each step this is
    dynamic binarisation. 'once': the same by a key made from the image itself, so that an image is drawn
    alike whenever it comes. 'grey', 'no': the grey levels themselves.
    """
    if how == "threshold":
        return (image > 0.5).astype(image.dtype)
    if how == "once":
        keys = image_keys(image)
    if how in ("once", "draw"):
        return jax.vmap(jax.random.bernoulli)(keys, image).astype(image.dtype)
    return image


def image_keys(image: Float[Array, "B height width C"]):
    """(B,) keys that are functions of the images' bits alone: a random linear hash, modulo 2^32."""
    bits = jax.lax.bitcast_convert_type(image, jnp.uint32).reshape(image.shape[0], -1)
    factors = jax.random.bits(jax.random.key(2008), bits.shape[1:]) | 1
    # The low bits of a float of few digits are all 0, and so would be the product's.
    mixed = (bits ^ (bits >> 15)) * factors[None]
    hashes = jnp.sum(mixed ^ (mixed >> 13), axis=1, dtype=jnp.uint32)
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(1008), hashes)


def elbo_terms(
    model: Autoencoder,
    params: Any,
    image: Float[Array, "B height width C"],
    noise: Float[Array, "B both"],
    likelihood: Likelihood | None = None,
    kl: str = "analytic",
) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """-log p(x|z), with z from q(z|x) by standard normal noise, and KL(q(z|x) || p(z)), in nats."""
    posterior = model.apply({"params": params}, image, method="encode")
    layers = draw_layers(model, params, posterior, noise)
    return decoded_nats(model, likelihood or Likelihood(), params, layers, image), kl_nats(
        layers, kl
    )


def decoded_nats(
    model: Autoencoder, likelihood: Likelihood, params: Any, layers: list[Layer], image
) -> Float[Array, " B"]:
    """-log p(x|z) of the lowest layer's draw."""
    outputs = model.apply({"params": params}, layers[0].latent, method="decode")
    return -likelihood.log_density(params, outputs, image.reshape(image.shape[0], -1))


def log_weights(
    model: Autoencoder, likelihood: Likelihood, params: Any, layers: list[Layer], image
) -> tuple[Float[Array, " B"], Float[Array, " B"], Float[Array, " B"]]:
    """(log w, -log p(x|z), log q - log p) of one draw each, all layers together."""
    nats = decoded_nats(model, likelihood, params, layers, image)
    prior = total(log_prior(layer) for layer in layers)
    posterior = total(log_posterior(layer) for layer in layers)
    return bounds.log_weight(-nats, prior, posterior), nats, bounds.sampled_kl(posterior, prior)


def _elbo_value(model, likelihood, objective, params, extra, image, noise):
    """(loss, -log p(x|z), KL), each (B,), means over the draws."""

    def of_draw(posterior, noise):
        layers = draw_layers(model, params, posterior, noise)
        each = kl_of_each(layers) if objective.free_bits else None
        nats = decoded_nats(model, likelihood, params, layers, image)
        return nats, kl_nats(layers, objective.kl), each

    posterior = model.apply({"params": params}, image, method="encode")
    if objective.samples == 1:
        nats, kl, each = of_draw(posterior, noise[:, 0])
    else:
        drawn = jax.vmap(of_draw, (None, 1))(posterior, noise)
        nats, kl, each = jax.tree.map(lambda values: values.mean(0), drawn)
    price = kl
    if each is not None:  # by the batch's means, the same for every example
        price = bounds.free_bits(mean_over_batch(each), objective.free_bits)
        price = jnp.broadcast_to(price, kl.shape)
    if objective.beta == 1.0 and not objective.kl_warmup:
        return vae.negative_elbo(nats, price), nats, kl
    beta = jnp.float32(objective.beta)
    if objective.kl_warmup:
        beta = beta * bounds.kl_warmup(extra["updates"].astype(jnp.float32), objective.kl_warmup)
    return vae.rate_distortion(nats, price, beta), nats, kl


def _weighted_value(model, likelihood, objective, params, extra, image, noise):
    """(-L_K, means over the draws of -log p(x|z) and of log q - log p), each (B,)."""
    posterior = model.apply({"params": params}, image, method="encode")
    if objective.estimator == "iwae":

        def of_draw(noise):
            layers = draw_layers(model, params, posterior, noise)
            return log_weights(model, likelihood, params, layers, image)

        weights, nats, kl = jax.vmap(of_draw, 1, 1)(noise)
        return bounds.importance_weighted_nats(weights), nats.mean(1), kl.mean(1)

    # DReG: the encoder is reached through z alone.
    held, image = jax.lax.stop_gradient((posterior, image))
    latent = jax.vmap(
        lambda noise: vae.reparameterise(posterior.mean, posterior.log_variance, noise), 1, 1
    )(noise)

    def log_weight_of(params, latent):
        def of_draw(z):
            return log_weights(model, likelihood, params, [Layer(z, held, None)], image)

        weights, nats, kl = jax.vmap(of_draw, 1, 1)(latent)
        return weights, (nats.mean(1), kl.mean(1))

    value, (nats, kl) = bounds.doubly_reparameterised_nats(log_weight_of, params, latent)
    return value, nats, kl
