"""Sets of tensorflow-datasets, read through `data_source`, without TensorFlow.

tensorflow_datasets is imported inside of the functions, as that takes a second. A set that lies
prepared in its folder, $TFDS_DATA_DIR or else the library's own, is read from there; another is
downloaded and prepared once. What version 4.9.10 can do where TensorFlow is not installed, as
measured:

- read a prepared set of images (decoded by Pillow), tensors or texts, if its files are
  `array_record`;
- prepare a set of plain tensors, texts, or images that its builder hands over as files;
- not prepare images that a builder hands over as pixels (MNIST and CIFAR among them), as only
  TensorFlow encodes those.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import Any

from jaxgen.errors import UserError
from jaxgen.suggest import nearest

NAME = re.compile(r"\w+(/\w[\w.+-]*)?(:[\d.*]+)?", re.ASCII)
"""SET, SET/CONFIG, SET:VERSION. The library itself takes more: a namespace, whose code it fetches and
runs; arguments, among them another folder; and paths, whose files name the code to import."""

MAX_RETRIES = 3
"""Attempts to download a file. The library's own 10 take 205 s to find that there is no network."""


def examples(split: Any, name: str, size: int = 1000) -> Iterator[dict[str, Any]]:
    """The examples of a split, read so many at a time."""
    if not len(split):
        raise UserError(f"A split of tfds:{name} is empty: prepare the set again.")
    for first in range(0, len(split), size):
        yield from split.__getitems__(range(first, min(first + size, len(split))))


def splits(name: str, feature: str) -> list[Any]:
    """The data sources of the training and, if there is one, of the held-out split."""
    with _plain_errors(name):
        builder = _builder(name)
        features = builder.info.features or {}
        if feature not in features:
            raise UserError(
                f"tfds:{name} has no feature {feature!r} but {', '.join(features) or 'none'}: "
                "choose a set that has it."
            )
        builder.download_and_prepare()
    available = list(builder.info.splits)
    if "train" not in available:
        raise UserError(
            f"tfds:{name} has no split 'train' but {', '.join(available)}: choose another set."
        )
    held_out = [split for split in ("test", "validation") if split in available][:1]
    return [builder.as_data_source(split=split) for split in ["train", *held_out]]


def _builder(name: str) -> Any:
    """The library's builder of a set, in the folder that the user chose."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"tfds:{name} cannot name a set: write tfds:SET, SET/CONFIG or SET:VERSION."
        )
    import tensorflow_datasets as tfds

    import jaxgen.data.images.tfds_digits  # noqa: F401  (registers the package's own builder)

    folder = os.environ.get("TFDS_DATA_DIR")  # the library reads it only when it is imported
    try:
        return tfds.builder(name, data_dir=folder, file_format="array_record")
    except (ValueError, AssertionError) as error:  # unknown name, configuration or version
        if "File format is already set" in str(error):
            raise UserError(
                f"tfds:{name} lies prepared in another file format than array_record: prepare it "
                "again with file_format='array_record', or set TFDS_DATA_DIR to another folder."
            ) from error
        known = tfds.list_builders(with_community_datasets=False)
        near = nearest(name, known, cutoff=0.6)  # of a thousand names some are half like any
        suggestion = f"did you mean {near!r}? Otherwise " if near else ""
        raise UserError(
            f"tensorflow-datasets has no set {name!r}: {suggestion}choose one of its catalogue, "
            "https://www.tensorflow.org/datasets/catalog."
        ) from error


@contextlib.contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    """Fewer retries, nothing on standard output, and one sentence for what a user can mend."""
    from tensorflow_datasets.core.download import downloader

    retries = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = MAX_RETRIES
    try:
        # The library prints reports, and a banner for every package that is missing.
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ImportError as error:
        raise UserError(_missing_package(name, error)) from error
    except OSError as error:  # requests and urllib derive theirs from it
        raise UserError(
            f"tfds:{name} could not be downloaded and prepared ({type(error).__name__}): check the "
            "network and the disk, or set TFDS_DATA_DIR to a folder where the set lies prepared."
        ) from error
    finally:
        downloader.MAX_RETRIES = retries


def _missing_package(name: str, error: ImportError) -> str:
    """The sentence for a set whose preparation needs a package that is not installed."""
    # The library rewrites the message and loses the module's name on the way.
    package = error.name or str(error).rpartition("No module named ")[2].strip("'") or "a package"
    if package == "tensorflow":
        return (
            f"tfds:{name} hands its images over as pixels, or has sound by the library's own feature, "
            "which only TensorFlow can prepare: "
            "pip install 'jaxgen[tensorflow]', or set TFDS_DATA_DIR to a folder where the set lies "
            "prepared as array_record."
        )
    return f"tfds:{name} needs the package {package} to be prepared: install it first."
