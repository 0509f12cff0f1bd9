"""Held-out judgement of a GAN: how far its images are from real ones, and who is winning."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.metrics.frechet import frechet_distance

MAX_PIXELS = 4096


def make_gan_evaluation(
    generator: nn.Module, discriminator: nn.Module, num_samples: int = 4096
) -> Callable:
    """`evaluate(weights, dataset) -> metrics` on num_samples images from a fixed key.

    `pixel_frechet` is the Fréchet distance between generated and held-out images in pixel space;
    `discriminator_accuracy` the share of right verdicts, half on held-out images, half on generated
    ones: 0.5 is a discriminator that cannot tell, 1 one that has won (nothing of the kind for a
    Wasserstein critic, whose zero is arbitrary). The distance is left out where it has no meaning or
    no room: for a single held-out image, and beyond MAX_PIXELS, since a covariance has pixels^2 entries.
    """

    @jax.jit
    def generate_and_judge(params, noise, image):
        fake = generator.apply({"params": params["generator"]}, noise)
        judge = {"params": params["discriminator"]}
        return fake, discriminator.apply(judge, image), discriminator.apply(judge, fake)

    def evaluate(weights, dataset) -> dict[str, float]:
        image = dataset.take(dataset.arrays, np.arange(dataset.num_examples))["image"]
        noise = jax.random.normal(jax.random.key(0), (num_samples, generator.latent_size))
        fake, real_logits, fake_logits = generate_and_judge(weights.params, noise, image)
        accuracy = (jnp.mean(real_logits > 0) + jnp.mean(fake_logits < 0)) / 2
        real, fake = (np.asarray(part).reshape(len(part), -1) for part in (image, fake))
        metrics = {"discriminator_accuracy": float(accuracy)}
        if len(real) > 1 and real.shape[1] <= MAX_PIXELS:
            metrics["pixel_frechet"] = frechet_distance(real, fake)
        return metrics

    return evaluate
