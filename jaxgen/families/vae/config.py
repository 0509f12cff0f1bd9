"""What a person sets of a VAE's pictures; no jax here, so that help is quick."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.errors import check
from jaxgen.families.sampling import ImageSampling

Show = Literal[
    "prior", "reconstructions", "traversals", "interpolation", "class-means", "map", "inpainting"
]
MASKS = ("top", "bottom", "left", "right", "centre")


@dataclass(frozen=True)
class VAESampling(ImageSampling):
    """What is drawn."""

    show: Show = "prior"
    """New images; held-out ones above what becomes of them; the latents that say most, each moved by
    itself; walks between two held-out images; the mean code of each class; the plane in which the codes
    vary most; held-out images, what was hidden of them, and what is drawn in its place."""
    mask: str = "bottom"
    """What inpainting hides: top, bottom, left, right, centre, or a file of NumPy (.npy) of the images'
    height and width, not 0 where a pixel is hidden."""
    inpainting_steps: int = 100
    """Turns of encoding, drawing and decoding by which hidden pixels are drawn."""

    def __post_init__(self):
        super().__post_init__()
        check(
            self, "mask", lambda x: x in MASKS or x.endswith(".npy"),
            f"{', '.join(MASKS)}, or a .npy file", "sampling.",
        )  # fmt: skip
        check(self, "inpainting_steps", lambda x: 1 <= x <= 100_000, "1 to 100,000", "sampling.")
