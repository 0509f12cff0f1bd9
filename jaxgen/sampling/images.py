"""Images from a VAE or a GAN, and the grid that shows them."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.models.gan import Generator
from jaxgen.models.vae import VAE, Gaussian

GRID_PIXELS = 640  # a grid is enlarged, by whole factors, to about this width


def sample_vae(model: VAE, params, key, count: int) -> Float[Array, "count height width C"]:
    """z ~ N(0, I), then the mean of p(x|z): grey levels rather than drawn pixels."""
    latent = jax.random.normal(key, (count, model.config.latent_size))
    decoded = model.apply({"params": params}, latent, method="decode")
    pixels = decoded.mean if isinstance(decoded, Gaussian) else jax.nn.sigmoid(decoded)
    return jnp.clip(pixels, 0.0, 1.0).reshape(count, *model.image_shape)


def sample_gan(
    generator: Generator, params, key, count: int
) -> Float[Array, "count height width C"]:
    """z ~ N(0, I), then x = G(z)."""
    noise = jax.random.normal(key, (count, generator.config.latent_size))
    return generator.apply({"params": params}, noise)


def save_grid(images: Float[Array, "count height width C"], path: Path) -> Path:
    """Write images with pixels in [0, 1] as one near-square PNG, row by row; returns path.png."""
    from matplotlib import image as matplotlib_image

    images = np.asarray(images)
    count, height, width, C = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    grid = np.ones((rows, columns, height + 1, width + 1, C), np.float32)  # a white line between
    grid[:, :, :height, :width] = 0.0
    grid.reshape(-1, height + 1, width + 1, C)[:count, :height, :width] = images
    grid = grid.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 1), columns * (width + 1), C)
    factor = max(1, round(GRID_PIXELS / grid.shape[1]))
    grid = grid.repeat(factor, axis=0).repeat(factor, axis=1)
    path = path.with_name(path.name + ".png")
    levels = np.rint(255 * grid).astype(np.uint8)  # matplotlib would cut the fraction off
    matplotlib_image.imsave(path, np.broadcast_to(levels, (*levels.shape[:2], 3)), origin="upper")
    return path
