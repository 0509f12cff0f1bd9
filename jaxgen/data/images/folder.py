"""A folder of pictures: a folder a class, or all in one; its folders train and test, or every tenth."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxgen.data.images.dataset import Images
from jaxgen.data.images.pictures import Pictures
from jaxgen.data.lazy import Chosen
from jaxgen.data.reading import listing, plain_errors
from jaxgen.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
HELD_OUT = ("test", "val", "validation")


@dataclass(frozen=True)
class Folder:
    """Files of pictures and their classes; the pictures are made when it is known to which size.

    Attributes:
      files: sorted by class, then by name. labels: of each its class, or None where there are none.
    """

    files: list[Path]
    labels: np.ndarray | None

    def images(self, resize: int | None) -> Images:
        """The pictures, decoded as they are needed."""
        name_of = lambda i: str(self.files[i])  # noqa: E731
        pictures = Pictures(self._read, name_of, len(self.files), listing(self.files), resize)
        labels = {} if self.labels is None else {"label": self.labels}
        return Images({"image": pictures, **labels}, 255)

    def _read(self, index: int) -> bytes:
        with plain_errors(self.files[index]):
            return self.files[index].read_bytes()


def image_folder(folder: Path) -> tuple[Folder, Folder | None]:
    """The pictures to train on and those held out; None where every tenth is to be held out.

    Raises UserError where there is no picture, or the parts have other classes.
    """
    train, held_out = folder / "train", [folder / name for name in HELD_OUT]
    test = next((path for path in held_out if path.is_dir()), None)
    if not (train.is_dir() and test):
        return _listed(folder)[0], None
    (seen, classes), (unseen, others) = _listed(train), _listed(test)
    if classes != others:
        raise UserError(f"{train} and {test} have other classes: give both the same folders.")
    return seen, unseen


def _listed(folder: Path) -> tuple[Folder, list[str]]:
    """The pictures in a folder, or in the folders in it, and the names of these."""
    with plain_errors(folder):
        classes = sorted(entry.name for entry in os.scandir(folder) if _is_class(entry))
    files = _files(folder)
    found = {name: _files(folder / name) for name in classes}
    classes = [name for name in classes if found[name]]
    if files and classes:
        raise UserError(
            f"{folder} holds pictures and folders of pictures ({classes[0]}): put all into folders, a "
            "folder a class, or none."
        )
    if not files and not classes:
        raise UserError(
            f"{folder} has no picture: name a folder of PNG, JPEG or WebP files, or of folders of them."
        )
    if files:
        return Folder(files, None), []
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(found[n]) for n in classes])
    return Folder([file for name in classes for file in found[name]], labels), classes


def _is_class(entry: os.DirEntry) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _files(folder: Path) -> list[Path]:
    with plain_errors(folder):
        names = [
            entry.name
            for entry in os.scandir(folder)
            if entry.name.lower().endswith(SUFFIXES)
            and not entry.name.startswith(".")
            and entry.is_file()
        ]
    return [folder / name for name in sorted(names)]


def every_tenth(images: Images) -> tuple[Images, Images]:
    """Images without and with every tenth, so that each class is in both parts."""
    n = images.num_examples
    if n < 2:
        raise UserError("One image cannot be split into a training and a test part: give more.")
    held_out = np.zeros(n, bool)
    held_out[::10] = True
    train, test = (
        Images({name: _rows(array, chosen) for name, array in images.arrays.items()}, images.levels)
        for chosen in (np.flatnonzero(~held_out), np.flatnonzero(held_out))
    )
    return train, test


def _rows(array: np.ndarray | Pictures, chosen: np.ndarray) -> np.ndarray | Chosen:
    return array[chosen] if isinstance(array, np.ndarray) else Chosen(array, chosen)
