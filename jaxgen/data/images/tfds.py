"""Images of tensorflow-datasets: in memory, or of a large set as they are needed."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.images.arrays import held_out_tenth, images_from, same_form
from jaxgen.data.images.dataset import Images
from jaxgen.data.images.records import Records
from jaxgen.data.tfds import examples, splits
from jaxgen.errors import UserError

IN_MEMORY_BYTES = 2**28
"""Pixels of a split; beyond, its pictures are decoded from their files as they are needed, and kept."""


def tfds_images(name: str) -> tuple[Images, Images]:
    """The splits `train` and `test` (or `validation`, or the last tenth) of a set of images.

    Its features are `image`, and `label` or not.

    Raises:
      UserError: as `tfds_text`; or the images are not of one size.
    """
    images = [_read(split, name) for split in splits(name, "image")]
    if len(images) == 1:
        return held_out_tenth(images[0])
    train, test = images
    return same_form(train, test, f"tfds:{name}")


def _read(split: Any, name: str) -> Images:
    """A split in memory, where each image takes its place as it comes: never all of them twice."""
    image, labels = np.empty(0), []
    for i, example in enumerate(examples(split, name)):
        one = np.asarray(example["image"])
        if i == 0 and one.nbytes * len(split) > IN_MEMORY_BYTES and one.dtype == np.uint8:
            records = _records(split)
            if records.are_pictures:
                return records.images(None)
        if i == 0:
            image = np.empty((len(split), *one.shape), one.dtype)
        if one.shape != image.shape[1:]:
            raise UserError(
                f"tfds:{name} has images of different sizes: choose a set where all agree."
            )
        image[i] = one
        if "label" in example:
            labels.append(example["label"])
    return images_from(image, labels or None, f"tfds:{name}")


def _records(split: Any) -> Records:
    """The files of a split that lies prepared."""
    files = [Path(path) for path in split.dataset_info.splits[split.split].filepaths]
    return Records(files, split.data_source, threading.Lock())
