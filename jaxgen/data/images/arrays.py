"""From arrays of a source, whatever their form, to `Images`: one place for the checks."""

from typing import Any

import numpy as np

from jaxgen.data.images.dataset import Images
from jaxgen.data.lazy import Part
from jaxgen.errors import UserError


def images_from(image: Any, label: Any, origin: str) -> Images:
    """A split from an array of images and, unless it is None, one of labels.

    Args:
      image: [n, height, width] or [n, height, width, C]; uint8 (then `levels` is 255), or
        floats in [0, 1] (then they stay as they are, and `levels` is 1).
      label: integers [n] or [n, 1], 0 or greater.
      origin: what to call the source in an error, such as the file and the name of the array.

    Raises:
      UserError: the arrays are of another shape or type, hold other values, or differ in length.
    """
    image = np.asarray(image)
    image = image[..., None] if image.ndim == 3 else image
    if image.ndim != 4 or 0 in image.shape or image.shape[3] > 4:
        raise UserError(
            f"{origin} holds an array of shape {image.shape}: give at least one image, as "
            "[n, height, width] or [n, height, width, channels] with 1 to 4 channels."
        )
    if image.dtype == np.uint8:
        arrays, levels = {"image": image}, 255
    elif image.dtype.kind == "f" and image.min() >= 0 and image.max() <= 1:  # false for NaN too
        arrays, levels = {"image": image.astype(np.float32)}, 1
    else:
        raise UserError(
            f"{origin} holds {image.dtype} pixels that are neither uint8 nor floats from 0 to 1: "
            "convert them to one of the two."
        )
    if label is not None:
        arrays["label"] = labels_from(np.asarray(label), len(image), origin)
    return Images(arrays, levels)


def labels_from(label: np.ndarray, num_examples: int, origin: str) -> np.ndarray:
    """The labels as int32 [n]."""
    if label.shape not in ((num_examples,), (num_examples, 1)):
        raise UserError(
            f"{origin} comes with labels of shape {label.shape} for {num_examples} images: give "
            "one label for each image."
        )
    if label.dtype.kind not in "iu" or label.min() < 0 or label.max() >= 2**31:
        raise UserError(
            f"{origin} comes with labels that are not classes 0, 1, 2, …: give integers from 0 on."
        )
    return label.reshape(num_examples).astype(np.int32)


def same_form(train: Images, test: Images, origin: str) -> tuple[Images, Images]:
    """Both parts, if they can be one set: equal sizes and levels, labels in both or in neither.

    Raises:
      UserError: they differ.
    """
    forms = [
        (part.arrays["image"].shape[1:], part.levels, part.arrays.keys()) for part in (train, test)
    ]
    for what, one, other in zip(
        ("image sizes", "grey levels", "labels in one only"), *forms, strict=True
    ):
        if one != other:
            raise UserError(
                f"The training and the test images of {origin} differ ({what}): give both alike."
            )
    return train, test


def held_out_tenth(images: Images) -> tuple[Images, Images]:
    """The first ⌊9 n / 10⌋ of the n images, and the rest."""
    boundary = images.num_examples * 9 // 10
    if boundary == 0:
        raise UserError("One image cannot be split into a training and a test part: give more.")
    train, test = (
        Images(
            {name: _stretch(array, *part) for name, array in images.arrays.items()}, images.levels
        )
        for part in ((0, boundary), (boundary, images.num_examples))
    )
    return train, test


def _stretch(array: Any, start: int, stop: int) -> Any:
    return array[start:stop] if isinstance(array, np.ndarray) else Part(array, start, stop)
