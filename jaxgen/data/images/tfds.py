"""Images of tensorflow-datasets."""

from jaxgen.data.images.arrays import held_out_tenth, images_from, same_form
from jaxgen.data.images.dataset import Images
from jaxgen.data.tfds import columns, splits
from jaxgen.errors import UserError


def tfds_images(name: str) -> tuple[Images, Images]:
    """The splits `train` and `test` (or `validation`, or the last tenth) of a set of images.

    Its features are `image`, and `label` or not.

    Raises:
      UserError: as `tfds_text`; or the images are not of one size.
    """
    parts = [columns(split, name, ("image", "label")) for split in splits(name, "image")]
    origin = f"tfds:{name}"
    for part in parts:
        if len({image.shape for image in part["image"]}) > 1:
            raise UserError(
                f"{origin} has images of different sizes: choose a set where all agree."
            )
    images = [images_from(part["image"], part.get("label"), origin) for part in parts]
    if len(images) == 1:
        return held_out_tenth(images[0])
    train, test = images
    return same_form(train, test, origin)
