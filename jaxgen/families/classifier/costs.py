"""What a training step of a classifier costs beside its model: images, loss and optimiser."""

from typing import Any

from jaxgen.costs.optimizers import optimizer_rows
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Table
from jaxgen.models.base import ModelConfig


def classifier_step(
    model: ModelConfig,
    optimizer: Any,
    *,
    batch_size: int,
    image_shape: tuple[int, int, int],
    num_classes: int,
    flip: bool = False,
    ema: bool = False,
) -> Table:
    """The table of one training step on batch_size images of (height, width, channels)."""
    height, width, channels = image_shape
    sizes = {"B": batch_size, "H0": height, "W0": width, "C0": channels, "V": num_classes}
    mirror = elementwise("mirror", sizes, "B·H0·W0·C0", 1, 0)  # one of two for each pixel
    rows = [
        *([mirror] if flip else []),
        *model.costs(
            batch_size=batch_size, height=height, width=width, channels=channels,
            num_classes=num_classes,
        ),
        # max, subtract, exp, sum; backward: the softmax times the gradient
        elementwise("cross-entropy", sizes, "B·V", 4, 2),
        elementwise("accuracy", sizes, "B·V", 1, 0),
        elementwise("mean over images", sizes, "B", 2, 1),
    ]  # fmt: skip
    return Table("classifier", (*rows, *optimizer_rows(rows, optimizer, ema=ema)))
