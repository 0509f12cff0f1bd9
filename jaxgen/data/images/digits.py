"""The digits that come with the package: 1,797 real images of 8 × 8 pixels.

Origin, licence (CC BY 4.0) and checksums are in `files/digits.txt`.
"""

from pathlib import Path

import numpy as np

from jaxgen.data.images.dataset import Images

FILE = Path(__file__).parents[1] / "files" / "digits.npz"
LEVELS = 16
"""Each pixel counts the inked dots of a 4 × 4 block."""


def digits() -> tuple[Images, Images]:
    """The digits: 1,437 to train on and 360 held out, each class in the same proportion.

    Sorted by class (those of one class in the order of the file), every fifth is held out,
    beginning with the first. The rule needs no random numbers, so the split is the same for ever.
    """
    with np.load(FILE, allow_pickle=False) as arrays:
        images, labels = arrays["images"][..., None], arrays["labels"].astype(np.int32)
    held_out = np.zeros(len(labels), bool)
    held_out[np.argsort(labels, kind="stable")[::5]] = True
    train, test = (
        Images({"image": images[part], "label": labels[part]}, LEVELS)
        for part in (~held_out, held_out)
    )
    return train, test
