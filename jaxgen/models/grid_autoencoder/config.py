"""The sizes of a grid autoencoder; apart from its modules so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig, smallest


@dataclass(frozen=True)
class GridAutoencoderConfig(ModelConfig):
    """Strided convolutions to a grid and transposed ones back (van den Oord et al. 2017, 4.1)."""

    channels: tuple[int, ...] = (64,)
    """Of the encoder's convolutions, each of which halves height and width; the decoder's are these
    the other way round. (64,) makes of 8 x 8 pixels 4 x 4 places, (64, 64) of 32 x 32 pixels 8 x 8."""
    num_blocks: int = 1
    """Residual blocks at the grid's resolution, in each half."""
    kernel_size: int = 4
    """K, pixels of a strided kernel's side."""
    num_codes: int = 32
    """V, the size of the codebook."""
    code_size: int = 16
    """D, numbers of a code."""
    convolution: Literal["auto", "native", "patches"] = "auto"
    """The platform's own, or patches and a matmul; auto takes patches on a CPU, else native."""

    def __post_init__(self):
        check(self, "channels", lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        check(self, "num_blocks", lambda x: x >= 0, "0 or more", "model.")
        check(self, "kernel_size", lambda x: x >= 2, "2 or more, the stride", "model.")
        check(self, "num_codes", lambda x: 2 <= x <= 2**16, "2 to 65536", "model.")
        check(self, "code_size", lambda x: x >= 1, "1 or more", "model.")

    def make(self, shape: tuple[int, int, int], outputs: int) -> Any:
        """The module for images of this shape, with so many numbers at each place of its grid.

        Raises UserError where the image cannot be halved as often as there are convolutions.
        """
        from jaxgen.models.grid_autoencoder.model import GridAutoencoder

        self.grid(shape)
        return GridAutoencoder(self, shape[-1], outputs)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of the grid of codes."""
        return smallest(shape, len(self.channels))

    @property
    def width(self) -> int:
        """Channels of the encoder's first convolution."""
        return self.channels[0]

    def scaled(
        self, *, width: int | None = None, depth: int | None = None
    ) -> "GridAutoencoderConfig":
        """Every convolution of that many channels, or so many residual blocks; the grid stays."""
        channels = self.channels if width is None else (width,) * len(self.channels)
        return replace(
            self, channels=channels, num_blocks=self.num_blocks if depth is None else depth
        )

    def costs(self, **sizes: Any) -> Any:
        """(the encoder's rows, the decoder's) of batch_size images of a shape, see `costs`."""
        from jaxgen.models.grid_autoencoder.costs import autoencoder_rows

        return autoencoder_rows(self, **sizes)
