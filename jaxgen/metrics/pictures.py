"""Sets of images as one picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float

GRID_PIXELS = 640  # small images are enlarged, by a whole factor, to a grid about so wide


def save_grid(
    images: Float[Array, "count height width C"], path: Path, columns: int | None = None
) -> Path:
    """Write images with pixels in [0, 1] as one PNG, row by row; returns path.png.

    It is near-square, or has so many columns.
    """
    from PIL import Image

    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    factor = max(1, round(GRID_PIXELS / (columns * (images.shape[2] + 1))))
    pixels = enlarged(np.asarray(images), factor)
    count, height, width, C = pixels.shape
    grid = np.ones((rows, columns, height + 1, width + 1, C), np.float32)  # a white line between
    grid[:, :, :height, :width] = 0.0
    grid.reshape(-1, height + 1, width + 1, C)[:count, :height, :width] = pixels
    grid = grid.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 1), columns * (width + 1), C)
    levels = np.rint(255 * np.broadcast_to(grid, (*grid.shape[:2], 3))).astype(np.uint8)
    path = path.with_name(path.name + ".png")
    Image.fromarray(levels).save(path)
    return path


def enlarged(
    images: Float[np.ndarray, "count height width C"], factor: int
) -> Float[np.ndarray, "count tall wide C"]:
    """Images enlarged by a whole factor with Keys' cubic, so that the eye sees strokes, not squares.

    A factor of 1 leaves them as they are.
    """
    from PIL.Image import Resampling, fromarray

    if factor == 1:
        return images
    size = (images.shape[2] * factor, images.shape[1] * factor)
    planes = images.transpose(0, 3, 1, 2).reshape(-1, *images.shape[1:3]).astype(np.float32)
    large = [np.asarray(fromarray(plane).resize(size, Resampling.BICUBIC)) for plane in planes]
    shape = (images.shape[0], images.shape[3], size[1], size[0])
    return np.clip(np.stack(large), 0.0, 1.0).reshape(shape).transpose(0, 2, 3, 1)


def save_points(points: Float[Array, "n X"], centres: Float[np.ndarray, "V X"], path: Path) -> Path:
    """A cloud of points in the plane over the centres of their mixture, as path.png; returns it.

    Of more than two axes the first two.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter(*np.asarray(points)[:, :2].T, s=2, alpha=0.5, linewidths=0)
    axes.scatter(*centres[:, :2].T, marker="+", s=40, color="black", linewidths=0.8)
    axes.set_aspect("equal")
    path = path.with_name(path.name + ".png")
    figure.savefig(path, dpi=100)
    return path


def save_paths(
    clouds: Sequence[tuple[str, Float[Array, "n X"]]],
    centres: Float[np.ndarray, "V X"],
    path: Path,
) -> Path:
    """The same points at several times, each with its title, side by side, as path.png; returns it.

    A point has everywhere the colour of the centre that it ends at: so the first cloud shows which part
    of the noise becomes what.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles = [title for title, _ in clouds]
    points = [np.asarray(cloud)[:, :2] for _, cloud in clouds]
    centres = centres[:, :2]
    own = ((points[-1][:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    around = np.argsort(np.argsort(np.arctan2(*(centres - centres.mean(0)).T)))  # neighbours differ
    colours = colormaps["hsv"](around / len(centres))[own]
    figure = Figure(figsize=(3.2 * len(points), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, title, cloud in zip(
        np.ravel(figure.subplots(1, len(points))), titles, points, strict=True
    ):
        axes.scatter(*cloud.T, c=colours, s=4, alpha=0.7, linewidths=0)
        size = 1.05 * max(np.abs(centres).max(), np.quantile(np.abs(cloud), 0.999))
        axes.set_xlim(-size, size)
        axes.set_ylim(-size, size)
        axes.set_title(title)
        axes.set_aspect("equal")
        axes.set_axis_off()
    path = path.with_name(path.name + ".png")
    figure.savefig(path, dpi=100)
    return path


def save_clouds(
    clouds: Mapping[str, Float[np.ndarray, "n X"]],
    centres: Float[np.ndarray, "V X"],
    path: Path,
    columns: int = 2,
) -> Path:
    """Several clouds of points over the same centres, each with its title, as path.png; returns it.

    All have the axes of the centres, with a third of their width around: what lies farther out is not
    seen.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = math.ceil(len(clouds) / columns)
    figure = Figure(figsize=(4 * columns, 4.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    low, high = centres.min(0), centres.max(0)
    around = (high - low) / 3
    for place, (title, points) in enumerate(clouds.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.scatter(*np.asarray(points)[:, :2].T, s=2, alpha=0.5, linewidths=0)
        axes.scatter(*centres[:, :2].T, marker="+", s=40, color="black", linewidths=0.8)
        axes.set_title(title, fontsize=9)
        axes.set_xlim(low[0] - around[0], high[0] + around[0])
        axes.set_ylim(low[1] - around[1], high[1] + around[1])
        axes.set_aspect("equal")
    path = path.with_name(path.name + ".png")
    figure.savefig(path, dpi=100)
    return path
