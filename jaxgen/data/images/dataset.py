"""A split of images. Shape letters: B batch, C channels; n images in the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen.data.datasets import Dataset, spread

JUDGED_PIXELS = 2**23
"""10,699 images of 28 × 28, 682 of 64 × 64 in colour."""


@dataclass(frozen=True, eq=False)
class Images(Dataset):
    """Images as grey levels 0 .. `levels`, and their classes where the source has them.

    Attributes:
      arrays: `image` uint8 [n, height, width, C], or float32 where the source has no integer
        levels (then `levels` is 1), and optionally `label` int32 [n].
      levels: the largest grey level, 255 for eight bits and 16 for the digits.
    """

    arrays: dict[str, Any]
    levels: int

    def sampled(self, count: int) -> "Images":
        """So many images, at equal distances, in memory."""
        return Images(self.gather(self.arrays, spread(count, self.num_examples)), self.levels)

    @property
    def judged_by_default(self) -> int:
        """All, up to JUDGED_PIXELS numbers."""
        pixels = int(np.prod(self.arrays["image"].shape[1:]))
        return min(self.num_examples, max(1, JUDGED_PIXELS // pixels))

    @property
    def num_examples(self) -> int:
        """The number of images, n."""
        return len(self.arrays["image"])

    def finish(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """`image` float32 [B, height, width, C] = level / levels, in [0, 1]; `label` int32 [B]."""
        # A product with the reciprocal, since XLA turns the division by a constant into one:
        # written so, NumPy and every compiled loop agree in the last bit.
        scale = np.float32(1 / self.levels)
        return dict(rows) | {"image": rows["image"].astype(np.float32) * scale}
