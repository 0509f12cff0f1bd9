"""Pictures of what a GAN draws, as `sampling.show` asks for them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.errors import UserError
from jaxgen.families.gan.sampling import num_panels, panels, told
from jaxgen.metrics.film import save_film
from jaxgen.metrics.pictures import save_clouds, save_grid, save_paths, save_points

LEFT_BY_TRAINING = re.compile(r"step-\d+\.png")


def make_image_sample(
    sampling: Any, apply: Callable, latent_size: int, num_classes: int
) -> Callable:
    """`sample(weights, key, path) -> file`: a grid, or a film of the grids beside the path.

    Of several panels each is a column, and a row has what they share; `sampling.count` is then rounded
    to whole rows.
    """

    def sample(weights, key, path):
        if _is_film(sampling, path):
            return save_film(left_by_training(path.parent), path)
        columns = num_panels(sampling.show, num_classes)
        rows = max(1, sampling.count // columns)
        asked = panels(sampling, key, rows, latent_size, num_classes).values()
        images = jnp.stack([apply(weights, own.noise, *told(own.label)) for own in asked], axis=1)
        images = images.reshape(-1, *images.shape[2:])
        return save_grid(images, path, columns if columns > 1 else None)

    return sample


def make_point_sample(
    sampling: Any, apply: Callable, latent_size: int, num_classes: int, mixture: Any
) -> Callable:
    """`sample(weights, key, path) -> file`: a cloud, one for each panel, or a film of clouds."""
    centres = np.asarray(mixture.centres)

    def sample(weights, key, path):
        if _is_film(sampling, path):
            return save_film(left_by_training(path.parent), path)
        asked = panels(sampling, key, sampling.count, latent_size, num_classes)
        clouds = {
            title: apply(weights, own.noise, *told(own.label)) for title, own in asked.items()
        }
        if len(clouds) == 1 and "" in clouds:
            return save_points(clouds[""], centres, path)
        if sampling.show == "interpolation":
            return save_paths(list(clouds.items()), centres, path)
        points = {title: np.asarray(cloud) for title, cloud in clouds.items()}
        return save_clouds(points, centres, path, columns=min(5, len(points)))

    return sample


def _is_film(sampling: Any, path: Path) -> bool:
    """Training itself, whose pictures a film is made of, draws samples whatever is to be shown."""
    return sampling.show == "training" and not LEFT_BY_TRAINING.fullmatch(f"{path.name}.png")


def left_by_training(folder: Path) -> list[Path]:
    """The pictures of one noise that training wrote at its looks, in their order.

    Raises UserError where there are fewer than two.
    """
    found = sorted(
        file for file in folder.glob("step-*.png") if LEFT_BY_TRAINING.fullmatch(file.name)
    )
    if len(found) < 2:
        raise UserError(
            f"--show training needs two or more pictures that training left, and {folder} has "
            f"{len(found)}: leave out --out, or train with a lower --eval-every."
        )
    return found
