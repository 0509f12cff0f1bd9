"""Images as a kind of data: where they come from, and what a model needs to know of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jaxgen.data.images.arrays import same_form
from jaxgen.data.images.dataset import Images
from jaxgen.data.images.digits import digits
from jaxgen.data.images.folder import Folder, every_tenth, image_folder
from jaxgen.data.images.idx import fashion_mnist, idx_folder
from jaxgen.data.images.npz import npz_file
from jaxgen.data.images.parquet import Rows, parquet_images
from jaxgen.data.images.records import Records, array_records
from jaxgen.data.images.tfds import tfds_images
from jaxgen.data.kind import Data, Kind, Source, whole
from jaxgen.data.reading import as_path
from jaxgen.errors import UserError


@dataclass(frozen=True)
class ImageSpec:
    """The sizes of every image, and the number of classes.

    Attributes:
      height: in pixels.
      width: in pixels.
      channels: C; 1 for grey images.
      num_classes: labels are 0 .. num_classes - 1; None where the source has no labels.
    """

    height: int
    width: int
    channels: int
    num_classes: int | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return self.height, self.width, self.channels

    def to_json(self) -> dict[str, Any]:
        """The four sizes, and `"kind": "images"`."""
        return {"kind": "images", **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ImageSpec":
        """The inverse of `to_json`; KeyError or ValueError where something is missing or no size."""
        classes = None if values["num_classes"] is None else whole(values, "num_classes")
        sizes = {name: whole(values, name) for name in ("height", "width", "channels")}
        return cls(**sizes, num_classes=classes)


def image_data(
    train: Images | Folder | Records | Rows,
    test: Images | Folder | None,
    *,
    resize: int | None = None,
) -> Data:
    """The data of two splits of images, and the spec that both share.

    Raises UserError where pictures cannot be decoded or differ in size, and where there is nothing to
    decode and so to resize.
    """
    if isinstance(train, Folder | Records | Rows):
        seen, other = (
            train.images(resize),
            test.images(resize) if isinstance(test, Folder) else None,
        )
        origin = str(train.files[0].parent)
        return _of_images(*same_form(*((seen, other) if other else every_tenth(seen)), origin))
    if resize is not None:
        raise UserError(
            "--resize is for pictures that are decoded, as of folder:DIR: leave it out."
        )
    assert isinstance(test, Images), "a source gives two parts of one kind"
    return _of_images(train, test)


def _of_images(train: Images, test: Images) -> Data:
    """The data of two splits, with their spec."""
    height, width, channels = train.arrays["image"].shape[1:]
    labels = [part.arrays["label"] for part in (train, test) if "label" in part.arrays]
    num_classes = 1 + int(max(label.max() for label in labels)) if labels else None
    return Data(train, test, ImageSpec(height, width, channels, num_classes))


KIND = Kind(
    {
        "arrayrecord": Source(lambda pattern: array_records(str(as_path(pattern))), "PATTERN"),
        "digits": Source(lambda _: digits()),
        "fashion-mnist": Source(lambda _: fashion_mnist()),
        "folder": Source(lambda folder: image_folder(as_path(folder)), "DIR"),
        "idx": Source(lambda folder: idx_folder(as_path(folder)), "DIR"),
        "npz": Source(lambda file: npz_file(as_path(file)), "FILE"),
        "parquet": Source(parquet_images, "FILE#COLUMN"),
        "tfds": Source(tfds_images, "NAME"),
    },
    image_data,
    ImageSpec.from_json,
)
