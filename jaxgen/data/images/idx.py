"""MNIST's file format, idx, in the files named as MNIST's are; gzipped or not.

A file is a big-endian header and then the bytes of one array [1]: two zero bytes, the type of the
values (8: unsigned byte), the number of dimensions d; d sizes of four bytes each; the values, the
last dimension fastest.

[1] Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, "File formats".
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxgen.data.images.arrays import images_from, same_form
from jaxgen.data.images.dataset import Images
from jaxgen.data.named import find_named
from jaxgen.data.reading import file_names, read_bytes, refuse_bomb
from jaxgen.errors import UserError


def idx_folder(folder: Path) -> tuple[Images, Images]:
    """The training and the test images of a folder with files in MNIST's format.

    `train-images-idx3-ubyte` and `t10k-images-idx3-ubyte`, and `train-labels-idx1-ubyte` and
    `t10k-labels-idx1-ubyte` or neither; each may end in `.gz`, the one without is preferred.

    Raises:
      UserError: a file is missing or is not what its name says, or the files do not fit together.
    """
    train, test = (_split(folder, part) for part in ("train", "t10k"))
    return same_form(train, test, str(folder))


def fashion_mnist() -> tuple[Images, Images]:
    """60,000 and 10,000 pictures of clothes, 28 × 28, in ten classes (Xiao et al. 2017).

    Raises:
      UserError: they are not on this machine, or as `idx_folder`.
    """
    remedy = "install the Debian package dataset-fashion-mnist"
    return idx_folder(
        find_named("fashion-mnist", "fashion_mnist", ["/usr/share/datasets/fashion-mnist"], remedy)
    )


def _split(folder: Path, part: str) -> Images:
    """The images of one part, and its labels if there are any."""
    image_path = _find(folder, f"{part}-images-idx3-ubyte")
    label_path = _find(folder, f"{part}-labels-idx1-ubyte")
    if image_path is None:
        raise UserError(
            f"{folder} has no file {part}-images-idx3-ubyte, with or without .gz: name the "
            "folder with files named like MNIST's."
        )
    labels = None if label_path is None else read_idx(label_path, num_dimensions=1)
    return images_from(read_idx(image_path, num_dimensions=3), labels, str(image_path))


def _find(folder: Path, name: str) -> Path | None:
    """The file of that name, the plain one if both exist; None where there is none."""
    names = file_names(folder)
    return next((folder / each for each in (name, f"{name}.gz") if each in names), None)


def _unpacked(path: Path, packed: bytes) -> bytearray:
    """What a gzip file holds, piece by piece, so that a bomb is noticed before it fills the memory."""
    content = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            while piece := file.read(1_000_000):
                content += piece
                refuse_bomb(path, len(packed), len(content))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}): fetch it again.") from error
    return content


def read_idx(path: Path, num_dimensions: int) -> np.ndarray:
    """The array of an idx file of unsigned bytes, uint8.

    Raises:
      UserError: the file cannot be read, is of another kind, or is not as long as it says.
    """
    packed = read_bytes(path)
    content = _unpacked(path, packed) if path.suffix == ".gz" else packed
    # The array below shares the content's memory.
    magic = struct.pack(">HBB", 0, 8, num_dimensions)
    header = 4 + 4 * num_dimensions
    if content[:4] != magic:
        raise UserError(
            f"{path} begins with the bytes {content[:4].hex(' ')}, an idx file so named with "
            f"{magic.hex(' ')}: give a file in MNIST's format."
        )
    if len(content) < header:
        raise UserError(f"{path} ends within its header: fetch it again.")
    shape = struct.unpack(f">{num_dimensions}I", content[4:header])
    size = math.prod(shape)
    if size == 0:  # the other sizes may then be any, also such as no array has
        raise UserError(f"{path} has the sizes {shape}, so it holds nothing: fetch it again.")
    if len(content) != header + size:
        what = "is cut short" if len(content) < header + size else "has bytes left over at its end"
        raise UserError(
            f"{path} {what} ({len(content) - header} bytes of data for the sizes {shape}, which "
            f"need {size}): fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
