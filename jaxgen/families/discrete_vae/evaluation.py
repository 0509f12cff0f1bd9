"""Held-out judgement of a discrete autoencoder: how well codes tell an image, and how many it uses.

In the catalogue: `tokens.perplexity`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.equations import vector_quantisation as vq
from jaxgen.families.batches import in_batches
from jaxgen.families.discrete_vae.objective import reconstruction_nats

BATCH = 200


def make_discrete_evaluation(apply: Callable, num_codes: int, log_variance: float) -> Callable:
    """`evaluate(weights, dataset) -> metrics` over all held-out images, each by its likeliest codes.

    `loss` in nats an image: −log p(x|q), and log V for each code, which is the price of codes that a
    uniform prior tells: an upper bound of −log p(x). `psnr` in dB, of the mean squared error over all
    pixels; `perplexity` of the codes, V at most; `codes_used`, the share of codes that occur at all.
    """

    @jax.jit
    def judge(weights, image):
        indices = apply(weights, image, method="encode")
        decoded = apply(weights, indices, method="decode")
        nats = reconstruction_nats(image, decoded, log_variance)
        error = jnp.square(jnp.clip(decoded, 0.0, 1.0) - image).mean((1, 2, 3))
        counts = jax.nn.one_hot(indices.reshape(image.shape[0], -1), num_codes).sum(1)
        return nats, error, counts

    def evaluate(weights, dataset) -> dict[str, float]:
        def of_places(places):
            return judge(weights, dataset.take(dataset.arrays, places)["image"])

        found = in_batches(of_places, dataset.num_examples, BATCH)
        nats, error, counts = (np.asarray(each) for each in found)
        total = counts.sum(0)
        rate = float(counts[0].sum()) * math.log(num_codes)
        return {
            "loss": float(nats.astype(np.float64).mean()) + rate,
            "psnr": float(-10 * np.log10(max(error.astype(np.float64).mean(), 1e-12))),
            "perplexity": float(vq.perplexity(jnp.asarray(total))),
            "codes_used": float((total > 0).mean()),
        }

    return evaluate
