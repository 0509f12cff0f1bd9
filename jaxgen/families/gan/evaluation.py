"""Held-out judgement of a GAN: how far what it makes is from what is real, and who is winning."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.equations import gan, gan_penalties
from jaxgen.families.classes import labels_for
from jaxgen.families.gan.sampling import told
from jaxgen.metrics.frechet import frechet_distance
from jaxgen.metrics.modes import mode_metrics, nearest

MAX_PIXELS = 4096
SURE = 1e4  # a logit at which log D is 0


def make_gan_evaluation(
    apply: Callable,
    judge: Callable,
    latent_size: int,
    num_samples: int = 4096,
    *,
    pack: int = 1,
    num_classes: int = 0,
    of_sets: Callable | None = None,
) -> Callable:
    """`evaluate(weights, dataset) -> metrics` on num_samples images from a fixed key.

    `pixel_frechet` is the Fréchet distance between generated and held-out images in pixel space;
    `discriminator_accuracy` the share of right verdicts, half on held-out images, half on generated
    ones: 0.5 is a discriminator that cannot tell, 1 one that has won (nothing of the kind for a
    Wasserstein critic, whose zero is arbitrary). The distance is left out where it has no meaning or
    no room: for a single held-out image, and beyond MAX_PIXELS, since a covariance has pixels^2 entries.

    Args:
      apply: (weights, noise) -> images. judge: (weights, images, in packs) -> logits.
      num_classes: that both are told, as a last argument, in turn; 0: they are not.
      of_sets: (weights, held-out images) -> further metrics, see `families/judge.py`.
    """
    verdicts = _make_verdicts(apply, judge, pack)
    asked = labels_for(num_samples, num_classes)

    def evaluate(weights, dataset) -> dict[str, float]:
        held_out = dataset.take(dataset.arrays, np.arange(dataset.num_examples))
        image, label = held_out["image"], held_out["label"] if num_classes else None
        noise = jax.random.normal(jax.random.key(0), (num_samples, latent_size))
        fake, real_logits, fake_logits = verdicts(weights, noise, asked, image, label)
        real, fake = (np.asarray(part).reshape(len(part), -1) for part in (image, fake))
        metrics = {"discriminator_accuracy": _accuracy(real_logits, fake_logits)}
        if len(real) > 1 and real.shape[1] <= MAX_PIXELS:
            metrics["pixel_frechet"] = frechet_distance(real, fake)
        return metrics | (of_sets(weights, image) if of_sets else {})

    return evaluate


def make_point_evaluation(
    apply: Callable,
    judge: Callable,
    latent_size: int,
    mixture: Any,
    num_samples: int,
    *,
    pack: int = 1,
    num_classes: int = 0,
) -> Callable:
    """`evaluate(weights, dataset)`: modes of points from a fixed key, and where the game stands.

    `modes`, `high_quality` and `reverse_kl` as in `metrics/modes.py`; `value`, V of the discriminator as
    it is, −log 4 = −1.386 where it cannot tell (of log losses); where players are told the component,
    `as_asked`, the share of points whose nearest centre is that. Arguments as in `make_gan_evaluation`.
    """
    verdicts = _make_verdicts(apply, judge, pack)
    asked, centres = labels_for(num_samples, num_classes), np.asarray(mixture.centres)

    def evaluate(weights, dataset) -> dict[str, float]:
        real = dataset.take(dataset.arrays, np.arange(min(dataset.num_examples, num_samples)))
        noise = jax.random.normal(jax.random.key(0), (num_samples, latent_size))
        label = real["label"] if num_classes else None
        fake, real_logits, fake_logits = verdicts(weights, noise, asked, real["point"], label)
        found = mode_metrics(np.asarray(fake), centres, mixture.deviation)
        if asked is not None:
            found["as_asked"] = float(np.mean(nearest(np.asarray(fake), centres) == asked))
        # Each side alone, beside logits of the other whose own term is 0: they may differ in number.
        of_real = gan.minimax_value(real_logits, jnp.full_like(real_logits, -SURE))
        of_fake = gan.minimax_value(jnp.full_like(fake_logits, SURE), fake_logits)
        value = of_real.mean() + of_fake.mean()
        accuracy = _accuracy(real_logits, fake_logits)
        return {**found, "value": float(value), "discriminator_accuracy": accuracy}

    return evaluate


def _make_verdicts(apply: Callable, judge: Callable, pack: int) -> Callable:
    """`(weights, noise, asked, real, label) -> (fake, logits of real and of fake packs)`, jitted."""

    def in_packs(examples):
        whole = examples[: len(examples) // pack * pack]
        return gan_penalties.packed(whole, pack) if pack > 1 else whole

    @jax.jit
    def verdicts(weights, noise, asked, real, label):
        fake = apply(weights, noise, *told(asked))
        of_real = judge(weights, in_packs(real), *told(label))
        return fake, of_real, judge(weights, in_packs(fake), *told(asked))

    return verdicts


def _accuracy(real_logits, fake_logits) -> float:
    return float((jnp.mean(real_logits > 0) + jnp.mean(fake_logits < 0)) / 2)
