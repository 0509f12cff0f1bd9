"""NumPy's archive format, npz, under the names of arrays that are in use for images."""

from pathlib import Path

import numpy as np

from jaxgen.data.images.arrays import held_out_tenth, images_from, same_form
from jaxgen.data.images.dataset import Images
from jaxgen.data.reading import plain_errors, refuse_bomb, require_file
from jaxgen.errors import UserError

LAYOUTS = (
    (("train_images", "train_labels"), ("test_images", "test_labels")),
    (("x_train", "y_train"), ("x_test", "y_test")),  # Keras
)
"""For each part, the name of its images and that of its labels."""


def npz_file(path: Path) -> tuple[Images, Images]:
    """The training and the test images of an npz file.

    Its arrays are `train_images` and `test_images`, or `x_train` and `x_test`, or `images` alone,
    the last tenth of which is then held out; with or without `train_labels` and `test_labels`,
    `y_train` and `y_test`, or `labels`. Nothing may be pickled, since that could run code.

    Raises:
      UserError: the file cannot be read or is not such a file, or its arrays are not images.
    """
    arrays = _read_arrays(path)

    def part(image_name: str, label_name: str) -> Images:
        return images_from(arrays[image_name], arrays.get(label_name), f"{path} ({image_name})")

    for train, test in LAYOUTS:
        if train[0] in arrays and test[0] in arrays:
            return same_form(part(*train), part(*test), str(path))
    if "images" in arrays:
        return held_out_tenth(part("images", "labels"))
    raise UserError(
        f"{path} has the arrays {', '.join(arrays) or '(none)'}: name them train_images and "
        "test_images, x_train and x_test, or images."
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of the file, by name, each read into memory once."""
    require_file(path)
    with plain_errors(path):
        file = path.open("rb")
    try:
        with file, np.load(file, allow_pickle=False) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.zip.infolist())
            refuse_bomb(path, path.stat().st_size, unpacked_bytes)
            return {name: archive[name] for name in archive.files}
    except UserError:
        raise
    # What NumPy, zipfile, zlib and the parser of NumPy's headers raise for a damaged file is not
    # documented, and there is nothing else that can fail here.
    except Exception as error:
        raise UserError(
            f"{path} is not an npz file of plain arrays, or is damaged: write it with numpy.savez."
        ) from error
