"""Pictures of a VAE and of its latents, one PNG each, as `--sampling.show` asks for them.

In the catalogue: `vae.gaussian-kl`, `vae.reparameterisation`.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxgen.equations import vae
from jaxgen.errors import UserError
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.module import Autoencoder
from jaxgen.families.vae.objective import binarised
from jaxgen.families.vae.sampling import decoded_images, sample_vae
from jaxgen.metrics.pictures import save_grid

MOST = 2000
"""Held-out images whose codes say which latents matter."""
COLUMNS, SIDE = 11, 15
"""Images in a row of a traversal or an interpolation, and in one of the map."""
REACH = 2.5
"""Standard deviations to which a latent is moved."""


class Net:
    """A model with its parameters and likelihood, to be asked for codes and images."""

    def __init__(self, model: Autoencoder, likelihood: Likelihood, params: Any):
        self.model, self.likelihood, self.params = model, likelihood, params

    def encode(self, image):
        """q(z|x); of two layers the lower one."""
        return self.model.apply({"params": self.params}, image, method="encode")

    def decode(self, latent) -> Float[np.ndarray, "count height width C"]:
        """The mean of p(x|z)."""
        images = decoded_images(self.model, self.params, jnp.asarray(latent), self.likelihood)
        return np.asarray(images)


def save_picture(
    experiment: Any, model: Autoencoder, likelihood: Likelihood, params: Any, key: Any, path: Path
) -> Path:
    """What the experiment's `sampling` asks for; held-out images are read where it needs them."""
    sampling = experiment.sampling
    count = sampling.count
    if sampling.show == "prior":
        return save_grid(sample_vae(model, params, key, count, likelihood), path)
    mask = read_mask(sampling.mask, model.image_shape[:2])
    net = Net(model, likelihood, params)
    image, label = held_out_images(experiment, MOST)
    count = min(count, SIDE) if sampling.show in ("reconstructions", "inpainting") else count
    match sampling.show:
        case "reconstructions":
            images, columns = reconstructions(net, image[:count]), count
        case "traversals":
            images, columns = traversals(net, image), COLUMNS
        case "interpolation":
            images, columns = interpolation(net, image[: 2 * max(1, count // COLUMNS)]), COLUMNS
        case "class-means":
            images, columns = class_means(net, image, label, key)
        case "map":
            images, columns = latent_map(net, image), SIDE
        case _:
            shown = image[:count]
            drawn = inpainted(net, shown, mask, key, sampling.inpainting_steps)
            hidden = jnp.where(mask[None, :, :, None], 0.5, shown)
            images, columns = jnp.concatenate([shown, hidden, drawn]), count
    return save_grid(jnp.asarray(images), path, columns=columns)


def held_out_images(experiment: Any, count: int) -> tuple[Array, np.ndarray | None]:
    """The first held-out images, as the model is to explain them, and their classes."""
    dataset = experiment.held_out(experiment.load())
    batch = dataset.take(dataset.arrays, np.arange(min(count, dataset.num_examples)))
    image = jnp.asarray(batch["image"])
    how = "draw" if experiment.binarise == "once" else experiment.binarise
    keys = jax.random.split(jax.random.key(1), len(image))
    return binarised(image, how, keys), batch.get("label")


def reconstructions(net: Net, image) -> Array:
    """The images, then what is decoded at the mean of each one's q(z|x)."""
    return jnp.concatenate([image, net.decode(net.encode(image).mean)])


def traversals(net: Net, image, rows: int = 10, columns: int = COLUMNS) -> np.ndarray:
    """A row for each of the latents with the largest divergence, moved by itself from the mean code."""
    posterior = net.encode(image)
    each = vae.gaussian_kl(posterior.mean[..., None], posterior.log_variance[..., None]).mean(0)
    chosen = np.argsort(-np.asarray(each), kind="stable")[:rows]
    latent = np.tile(np.asarray(posterior.mean.mean(0)), (len(chosen), columns, 1))
    for row, place in enumerate(chosen):
        latent[row, :, place] = np.linspace(-REACH, REACH, columns)
    return net.decode(latent.reshape(-1, latent.shape[-1]))


def interpolation(net: Net, image, columns: int = COLUMNS) -> np.ndarray:
    """A row from each image of the first half to one of the second, along a line between their codes."""
    codes = np.asarray(net.encode(image).mean)
    half = len(codes) // 2
    share = np.linspace(0, 1, columns)[None, :, None]
    latent = (1 - share) * codes[:half, None] + share * codes[half : 2 * half, None]
    return net.decode(latent.reshape(-1, latent.shape[-1]))


def class_means(net: Net, image, label, key, columns: int = 8) -> tuple[np.ndarray, int]:
    """A row a class: at its mean code, then at draws from the Gaussian of its codes."""
    if label is None:
        raise UserError("--show class-means needs data with labels: give another of the pictures.")
    codes = np.asarray(net.encode(image).mean)
    noise = np.asarray(jax.random.normal(key, (int(label.max()) + 1, columns, codes.shape[1])))
    rows = []
    for c in np.unique(label):
        own = codes[label == c]
        rows.append(own.mean(0) + noise[c] * own.std(0) * (np.arange(columns) > 0)[:, None])
    return net.decode(np.concatenate(rows).astype(np.float32)), columns


def latent_map(net: Net, image, side: int = SIDE) -> np.ndarray:
    """Images on a square of the plane in which the codes vary most, ± REACH deviations of each axis.

    Of two latents it is all of the latent space, but for a turn.
    """
    codes = np.asarray(net.encode(image).mean, np.float64)
    centre = codes.mean(0)
    _, sizes, axes = np.linalg.svd(codes - centre, full_matrices=False)
    steps = np.linspace(-REACH, REACH, side)
    deviations = sizes[:2] / np.sqrt(len(codes))
    if len(deviations) < 2:
        raise UserError("--show map needs a latent of two numbers or more: give traversals.")
    down, right = np.meshgrid(-steps, steps, indexing="ij")
    plane = (
        centre
        + right[..., None] * deviations[0] * axes[0]
        + down[..., None] * deviations[1] * axes[1]
    )
    return net.decode(plane.reshape(-1, codes.shape[1]).astype(np.float32))


def inpainted(net: Net, image, mask: Bool[Array, "height width"], key, num_steps: int) -> Array:
    """Hidden pixels drawn by a chain: encode the whole, draw z, decode, put in what was hidden.

    Rezende et al. 2014, "Stochastic backpropagation", section 6.3 and appendix F: the chain's
    distribution is near p(hidden | seen) where q(z|x) is near p(z|x). The last turn shows the mean.
    """
    hidden = mask[None, :, :, None]
    start = jnp.where(hidden, 0.5, image)

    @jax.jit
    def chain(key):
        def turn(current, key):
            z_key, x_key = jax.random.split(key)
            posterior = net.encode(current)
            noise = jax.random.normal(z_key, posterior.mean.shape)
            latent = vae.reparameterise(posterior.mean, posterior.log_variance, noise)
            outputs = net.model.apply({"params": net.params}, latent, method="decode")
            drawn = net.likelihood.draw(net.params, x_key, outputs).reshape(image.shape)
            mean = net.likelihood.mean(outputs).reshape(image.shape)
            return jnp.where(hidden, drawn, image), mean

        _, means = jax.lax.scan(turn, start, jax.random.split(key, num_steps))
        return jnp.where(hidden, means[-1], image)

    return chain(key)


def read_mask(name: str, sides: tuple[int, int]) -> Bool[Array, "height width"]:
    """True where a pixel is hidden, of a name or from a file; a UserError says what does not fit."""
    height, width = sides
    if name.endswith(".npy"):
        try:
            mask = np.load(name, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--mask {name} cannot be read ({error}): write it by numpy.save."
            ) from None
        if mask.shape != (height, width):
            raise UserError(
                f"--mask {name} holds an array of shape {mask.shape} for images of {height} x {width}: "
                "give one number for each pixel."
            )
        return jnp.asarray(mask != 0)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    whole = np.zeros((height, width), bool)
    regions = {
        "top": rows < height // 2, "bottom": rows >= height // 2,
        "left": columns < width // 2, "right": columns >= width // 2,
        "centre": (abs(2 * rows + 1 - height) <= height // 2)
        & (abs(2 * columns + 1 - width) <= width // 2),
    }  # fmt: skip
    return jnp.asarray(whole | regions[name])
