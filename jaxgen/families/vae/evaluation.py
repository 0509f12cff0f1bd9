"""Held-out judgement of a VAE: −ELBO and the importance-weighted bound of K draws, in nats per image.

In the catalogue: `vae.elbo`, `vae.importance-weighted`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgen.equations import bounds, vae
from jaxgen.families.batches import in_batches
from jaxgen.families.vae.latents import draw_layers, noise_size
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.objective import binarised, elbo_terms, log_weights

CHUNK = 500
"""Images that are judged at once; each has noise of its own, so that the number does not matter."""


def make_vae_evaluation(
    model: nn.Module,
    binarise: str,
    likelihood: Likelihood | None = None,
    *,
    pixels: str = "threshold",
    num_draws: int = 16,
    num_samples: int = 0,
) -> Callable:
    """`evaluate(weights, dataset) -> metrics` in nats per image, over all held-out images.

    Images that are binarised by drawing are drawn once, with a fixed key, so that every call judges
    the same ones. `loss`, −ELBO, is the mean of num_draws draws of z, with fixed keys too; with its
    parts, and again as `negative_elbo[PIXELS]`. `iwae_K[PIXELS]` is the bound of K = num_samples draws
    for each image; 0, and grey pixels in a Bernoulli's place, have none.
    """
    likelihood = likelihood or Likelihood()
    keys = jax.random.split(jax.random.key(0), num_draws)
    size = noise_size(model)

    @jax.jit
    def draw_terms(params, image, noise):
        terms = lax.map(lambda each: elbo_terms(model, params, image, each, likelihood), noise)
        return [term.mean(axis=0) for term in terms]

    @jax.jit
    def weighted_nats(params, image, places):
        posterior = model.apply({"params": params}, image, method="encode")
        image_keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(2), places)

        def weight(number):
            own = jax.vmap(jax.random.fold_in, (0, None))(image_keys, number)
            noise = jax.vmap(lambda key: jax.random.normal(key, (size,)))(own)
            layers = draw_layers(model, params, posterior, noise)
            return log_weights(model, likelihood, params, layers, image)[0]

        weights = lax.map(weight, jnp.arange(num_samples))
        return bounds.importance_weighted_nats(weights.T)

    def evaluate(weights, dataset) -> dict[str, float]:
        image = dataset.take(dataset.arrays, np.arange(dataset.num_examples))["image"]
        count = len(image)
        # "once" is here by place, so that no held-out image is drawn as its double in training was.
        how = "draw" if binarise == "once" else binarise
        pixel_keys = jax.random.split(jax.random.key(1), count)
        image = binarised(jnp.asarray(image), how, pixel_keys)
        noise = jax.vmap(lambda key: jax.random.normal(key, (count, size)))(keys)

        def terms_of(places):
            return draw_terms(weights.params, image[places], noise[:, places])

        def weighted_of(places):
            return weighted_nats(weights.params, image[places], places)

        reconstruction, kl = in_batches(terms_of, count, CHUNK)
        loss = float(np.mean(np.asarray(vae.negative_elbo(reconstruction, kl)), dtype=np.float64))
        metrics = {
            "loss": loss, "reconstruction_nats": _mean(reconstruction), "kl_nats": _mean(kl),
            f"negative_elbo[{pixels}]": loss,
        }  # fmt: skip
        if num_samples and pixels != "grey":
            weighted = in_batches(weighted_of, count, CHUNK)
            metrics[f"iwae_{num_samples}[{pixels}]"] = _mean(weighted)
        return metrics

    return evaluate


def _mean(values) -> float:
    return float(np.mean(np.asarray(values), dtype=np.float64))
