"""What images go through before the discriminator sees them: DiffAugment's changes, drawn by key."""

from collections.abc import Callable, Mapping

import jax
from jaxtyping import Array, Float

from jaxgen.equations import image_changes


def _color(image, key):
    """Brightness by -0.5 to 0.5, contrast by 0.5 to 1.5; the paper's saturation is for colours."""
    bright_key, contrast_key = jax.random.split(key)
    image = image_changes.brightened(image, jax.random.uniform(bright_key) - 0.5)
    return image_changes.contrasted(image, jax.random.uniform(contrast_key) + 0.5)


def _translation(image, key):
    """By up to an eighth of the image along each axis."""
    most = max(1, image.shape[0] // 8)
    rows, columns = jax.random.randint(key, (2,), -most, most + 1)
    return image_changes.moved(image, rows, columns, most)


def _cutout(image, key):
    """A square of half the image's size around any pixel."""
    row_key, column_key = jax.random.split(key)
    row = jax.random.randint(row_key, (), 0, image.shape[0])
    column = jax.random.randint(column_key, (), 0, image.shape[1])
    return image_changes.cut_out(image, row, column, image.shape[0] // 2)


CHANGES: Mapping[str, Callable] = {
    "color": _color, "translation": _translation, "cutout": _cutout,
}  # fmt: skip


def augmented(
    images: Float[Array, "B height width C"], keys, names: tuple[str, ...]
) -> Float[Array, "B height width C"]:
    """Each image through the named changes, one after the other, by its own key (B,)."""

    def change(image, key):
        for place, name in enumerate(names):
            image = CHANGES[name](image, jax.random.fold_in(key, place))
        return image

    return jax.vmap(change)(images, keys)
