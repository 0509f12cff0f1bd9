"""A GAN with its pair of losses, chosen by name among those of the catalogue."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.equations import gan
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
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
    generator: nn.Module, discriminator: nn.Module, losses: LossPair
) -> dict[str, Callable]:
    """Of each player, by name: `(own, other, extra, batch, keys) -> (loss, Aux)`.

    The generator has a latent_size and makes images of noise (B, Z); the discriminator makes logits (B,)
    of images and keys for its dropout.
    """

    def generate(params, keys):
        size = (generator.latent_size,)
        noise = jax.vmap(lambda key: jax.random.normal(key, size))(keys)
        return gan.generator(lambda z: generator.apply({"params": params}, z), noise)

    def judge(params, image, keys):
        return discriminator.apply({"params": params}, image, keys)

    def discriminator_loss(own, other, extra, batch, keys):
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
        return values.mean(), Aux(metrics, extra)

    def generator_loss(own, other, extra, batch, keys):
        noise_keys, fake_keys = split_each(keys, 2)
        fake_logits = judge(other, generate(own, noise_keys), fake_keys)
        values = losses.generator(fake_logits)
        return values.mean(), Aux({"generator_loss": Mean.of(values)}, extra)

    return {"discriminator": discriminator_loss, "generator": generator_loss}
