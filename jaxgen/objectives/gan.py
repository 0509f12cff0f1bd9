"""A GAN with its pair of losses, chosen by name among those of the catalogue."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.equations import gan
from jaxgen.models.gan import Discriminator, Generator
from jaxgen.training.gradient import split_each
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
    """(discriminator_loss, generator_loss), each `(own, other, batch, keys) -> (loss, metrics)`."""

    def generate(params, keys):
        size = (generator.config.latent_size,)
        noise = jax.vmap(lambda key: jax.random.normal(key, size))(keys)
        return gan.generator(lambda z: generator.apply({"params": params}, z), noise)

    def judge(params, image, keys):
        return discriminator.apply({"params": params}, image, keys)

    def discriminator_loss(own, other, batch, keys):
        noise_keys, real_keys, fake_keys = split_each(keys, 3)
        fake = jax.lax.stop_gradient(generate(other, noise_keys))
        real_logits = judge(own, batch["image"], real_keys)
        fake_logits = judge(own, fake, fake_keys)
        values = losses.discriminator(real_logits, fake_logits)
        right = jnp.concatenate([real_logits > 0, fake_logits < 0]).astype(jnp.float32)
        metrics = {
            "discriminator_loss": Mean.of(values),
            "discriminator_accuracy": Mean.of(right),
            "real_logit": Mean.of(real_logits),
            "fake_logit": Mean.of(fake_logits),
        }
        return values.mean(), metrics

    def generator_loss(own, other, batch, keys):
        noise_keys, fake_keys = split_each(keys, 2)
        fake_logits = judge(other, generate(own, noise_keys), fake_keys)
        values = losses.generator(fake_logits)
        return values.mean(), {"generator_loss": Mean.of(values)}

    return discriminator_loss, generator_loss
