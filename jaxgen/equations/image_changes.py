"""Changes of an image through which a gradient passes, each by numbers that the caller draws.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training",
https://arxiv.org/abs/2006.10738, section 3: what D judges, real or generated, goes through the same
kind of random change, and G's gradient comes back through it.
    (1) brightness   x + b
    (2) contrast     m + c (x − m),  m the image's mean
    (3) translation  x moved by whole pixels, zeros coming in
    (4) cutout       a square of zeros

One image at a time, height·width·C.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

Image = Float[Array, "height width C"]
Whole = Int[Array, ""]


def brightened(image: Image, amount: Float[Array, ""]) -> Image:
    """Eq. (1): `x + b`."""
    return image + amount


def contrasted(image: Image, factor: Float[Array, ""]) -> Image:
    """Eq. (2): distances from the image's mean, multiplied."""
    mean = jnp.mean(image)
    return mean + factor * (image - mean)


def moved(image: Image, rows: Whole, columns: Whole, most: int) -> Image:
    """Eq. (3): down by `rows` and right by `columns`, each from -most to most."""
    around = jnp.pad(image, ((most, most), (most, most), (0, 0)))
    return lax.dynamic_slice(around, (most - rows, most - columns, 0), image.shape)


def cut_out(image: Image, row: Whole, column: Whole, size: int) -> Image:
    """Eq. (4): zeros at the `size` rows and columns around a centre; what is outside is not there."""
    places = [jnp.arange(count) for count in image.shape[:2]]
    first = [row - size // 2, column - size // 2]
    inside = [(own >= at) & (own < at + size) for own, at in zip(places, first, strict=True)]
    hole = inside[0][:, None] & inside[1][None]
    return jnp.where(hole[..., None], 0.0, image)
