"""Images with words over them."""

import math
import textwrap
from pathlib import Path

import numpy as np
from jaxtyping import Float


def save_titled(
    images: Float[np.ndarray, "count height width C"], titles: list[str], path: Path
) -> Path:
    """Write images with pixels in [0, 1], each under its title, as one PNG; returns path.png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = Figure(figsize=(1.6 * columns, 1.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    pixels = np.broadcast_to(np.clip(images, 0, 1), (*images.shape[:3], 3))
    for place, (image, title) in enumerate(zip(pixels, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(image, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title("\n".join(textwrap.wrap(title, 20)), fontsize=8)
    path = path.with_name(path.name + ".png")
    figure.savefig(path, dpi=100)
    return path
