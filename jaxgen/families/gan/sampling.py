"""Examples from a GAN's generator, and noise whose examples show what it has learnt.

In the catalogue: `gan.interpolation`, `gan.truncation`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgen.equations import gan_controls
from jaxgen.families.classes import labels_for

SHARES = (0.0, 0.17, 0.33, 0.5, 0.67, 0.83, 1.0)
"""Of the way from one noise to another, where an interpolation is shown."""
THRESHOLDS = (0.1, 0.5, 1.0, 2.0)
"""τ at which truncation is shown, beside none."""
NONE = 5.0  # a τ beyond which lies one number in two million


class Asked(NamedTuple):
    """What a generator is asked for: noise, and the class where it is told one."""

    noise: Float[Array, "B Z"]
    label: Int[Array, " B"] | None


def told(label: Any) -> tuple:
    """The last argument of who is told the class; none where there are no classes."""
    return () if label is None else (label,)


def sample_gan(
    apply: Callable, weights: Any, key: Any, count: int, latent_size: int
) -> Float[Array, "count *shape"]:
    """z ~ N(0, I), then x = G(z); apply(weights, noise) is the generator."""
    return apply(weights, draw_noise(key, count, latent_size))


def draw_noise(
    key: Any, count: int, latent_size: int, truncation: float = 0.0
) -> Float[Array, "count Z"]:
    """z ~ N(0, I); with a truncation τ none of its numbers is beyond it."""
    if not truncation:
        return jax.random.normal(key, (count, latent_size))
    uniform = jax.random.uniform(key, (count, latent_size), minval=-1.0)
    return gan_controls.truncated_normal(uniform, jnp.full(count, truncation))


def panels(
    sampling: Any, key: Any, count: int, latent_size: int, num_classes: int
) -> dict[str, Asked]:
    """What `sampling.show` asks for, by a title each; `count` examples in every panel.

    The examples of a place have the same noise in all panels of classes and of truncation, and the same
    two ends in all of an interpolation.
    """
    label = labels_for(count, num_classes, sampling.label)
    if sampling.show == "interpolation":
        start, end = (
            draw_noise(own, count, latent_size, sampling.truncation)
            for own in jax.random.split(key)
        )
        return {
            f"t = {share:g}": Asked(
                gan_controls.spherical_interpolation(start, end, jnp.full(count, share)), label
            )
            for share in SHARES
        }
    if sampling.show == "truncation":
        uniform = jax.random.uniform(key, (count, latent_size), minval=-1.0)
        thresholds = {f"τ = {threshold:g}": threshold for threshold in THRESHOLDS} | {"all": NONE}
        return {
            title: Asked(gan_controls.truncated_normal(uniform, jnp.full(count, threshold)), label)
            for title, threshold in thresholds.items()
        }
    noise = draw_noise(key, count, latent_size, sampling.truncation)
    if sampling.show == "classes":
        return {
            f"class {own}": Asked(noise, labels_for(count, num_classes, own))
            for own in range(num_classes)
        }
    return {"": Asked(noise, label)}


def num_panels(show: str, num_classes: int) -> int:
    """How many panels there are of what is shown."""
    counts = {
        "interpolation": len(SHARES), "truncation": len(THRESHOLDS) + 1, "classes": num_classes,
    }  # fmt: skip
    return counts.get(show, 1)


def sample_in_pieces(
    apply: Callable,
    weights: Any,
    count: int,
    latent_size: int,
    num_classes: int = 0,
    piece: int = 500,
) -> Float[np.ndarray, "count *shape"]:
    """So many from fixed keys, one for each example, a piece at a time: any number has room.

    Of classes all in turn, as `labels_for` has them.
    """
    draw = jax.jit(
        lambda weights, keys, label: apply(
            weights,
            jax.vmap(lambda key: jax.random.normal(key, (latent_size,)))(keys),
            *told(label),
        )
    )
    whole = -(-count // piece) * piece
    keys, label = jax.random.split(jax.random.key(0), whole), labels_for(whole, num_classes)
    pieces = [slice(first, first + piece) for first in range(0, count, piece)]
    parts = [draw(weights, keys[own], None if label is None else label[own]) for own in pieces]
    return np.concatenate(parts)[:count]
