"""Held-out negative evidence lower bound of a VAE.

In the catalogue: `vae.elbo`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgen.equations import vae
from jaxgen.families.vae.objective import binarised, elbo_terms


def make_vae_evaluation(model: nn.Module, binarise: str, num_draws: int = 16) -> Callable:
    """`evaluate(weights, dataset) -> metrics` in nats per image, over all held-out images.

    Images that are binarised by drawing are drawn once, with a fixed key, so that every call judges
    the same ones. The expectation over q(z|x) is the mean of num_draws draws, with fixed keys too.
    """
    keys = jax.random.split(jax.random.key(0), num_draws)

    @jax.jit
    def draw_terms(params, image):
        shape = (image.shape[0], model.latent_size)
        terms = lax.map(
            lambda key: elbo_terms(model, params, image, jax.random.normal(key, shape)), keys
        )
        return [term.mean(axis=0) for term in terms]

    def evaluate(weights, dataset) -> dict[str, float]:
        image = dataset.take(dataset.arrays, np.arange(dataset.num_examples))["image"]
        pixel_keys = jax.random.split(jax.random.key(1), len(image))
        image = binarised(jnp.asarray(image), binarise, pixel_keys)
        reconstruction, kl = draw_terms(weights.params, image)
        return {
            "loss": _mean(vae.negative_elbo(reconstruction, kl)),
            "reconstruction_nats": _mean(reconstruction),
            "kl_nats": _mean(kl),
        }

    return evaluate


def _mean(values) -> float:
    return float(np.mean(np.asarray(values), dtype=np.float64))
