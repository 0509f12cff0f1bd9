"""A GAN with its pair of losses, chosen by name among those of the catalogue."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.equations import gan
from jaxgen.models.gan import Discriminator, Generator
from jaxgen.training.metrics import Mean


class LossPair(NamedTuple):
    """What each player minimises, per example."""

    discriminator: Callable  # (real_logits, fake_logits) -> (B,)
    generator: Callable  # (fake_logits) -> (B,)


LOSSES = {
    "non-saturating": LossPair(gan.discriminator_loss, gan.non_saturating_generator_loss),
    "saturating": LossPair(gan.minimax_discriminator_loss, gan.saturating_generator_loss),
    "wasserstein": LossPair(gan.wasserstein_critic_loss, gan.wasserstein_generator_loss),
}


def choose_losses(loss: str, label_smoothing: str) -> LossPair:
    """The pair of that name; smoothing replaces the discriminator's loss of the log losses.

    'two-sided' has the document's labels 0.9 and 0.1 (002, 5.2), 'one-sided' 0.9 and 0 (Salimans et
    al. 2016, section 3.4).
    """
    pair = LOSSES[loss]
    if label_smoothing == "two-sided":
        return pair._replace(discriminator=gan.smoothed_discriminator_loss)
    if label_smoothing == "one-sided":
        return pair._replace(discriminator=gan.one_sided_discriminator_loss)
    return pair


def make_gan_losses(
    generator: Generator, discriminator: Discriminator, losses: LossPair
) -> tuple[Callable, Callable]:
    """(discriminator_loss, generator_loss), each `(own, other, batch, key) -> (loss, metrics)`."""

    def generate(params, batch, key):
        noise = jax.random.normal(key, (batch["image"].shape[0], generator.config.latent_size))
        return gan.generator(lambda z: generator.apply({"params": params}, z), noise)

    def judge(params, image, key):
        rngs = {"dropout": key}
        return discriminator.apply({"params": params}, image, train=True, rngs=rngs)

    def discriminator_loss(own, other, batch, key):
        noise_key, real_key, fake_key = jax.random.split(key, 3)
        fake = jax.lax.stop_gradient(generate(other, batch, noise_key))
        real_logits = judge(own, batch["image"], real_key)
        fake_logits = judge(own, fake, fake_key)
        values = losses.discriminator(real_logits, fake_logits)
        right = jnp.concatenate([real_logits > 0, fake_logits < 0]).astype(jnp.float32)
        metrics = {
            "discriminator_loss": Mean.of(values),
            "discriminator_accuracy": Mean.of(right),
            "real_logit": Mean.of(real_logits),
            "fake_logit": Mean.of(fake_logits),
        }
        return values.mean(), metrics

    def generator_loss(own, other, batch, key):
        noise_key, fake_key = jax.random.split(key)
        fake_logits = judge(other, generate(own, batch, noise_key), fake_key)
        values = losses.generator(fake_logits)
        return values.mean(), {"generator_loss": Mean.of(values)}

    return discriminator_loss, generator_loss
