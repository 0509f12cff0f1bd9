"""The sizes of a convolutional classifier; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class ConvNetConfig(ModelConfig):
    """Convolutions of stride 2, then one hidden layer; no pooling (Springenberg et al. 2015)."""

    channels: tuple[int, ...] = (64, 128)
    """Channels of each convolution's result; each halves height and width, rounded up."""
    kernel_size: int = 3
    """K, pixels of a kernel's side."""
    hidden_size: int = 128
    """F, the features that the classes are told apart by."""
    dropout: float = 0.0
    """Probability of dropping a feature while training."""
    convolution: Literal["auto", "native", "patches"] = "auto"
    """The platform's own, or patches and a matmul; auto takes patches on a CPU, else native."""

    def __post_init__(self):
        check(self, "channels", lambda x: x and min(x) >= 1, "widths of 1 or more", "model.")
        for name in ("kernel_size", "hidden_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        check(self, "dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")

    def make(self, num_classes: int) -> Any:
        """The module for so many classes; it takes images of any size and channels."""
        from jaxgen.models.convnet.model import ConvNet

        return ConvNet(
            self.channels, self.kernel_size, self.hidden_size, self.dropout, self.convolution,
            num_classes,
        )  # fmt: skip

    @property
    def width(self) -> int:
        """Channels of the first convolution."""
        return self.channels[0]

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "ConvNetConfig":
        """Every convolution of that many channels, or so many as wide as the first."""
        channels = self.channels if width is None else (width,) * len(self.channels)
        return replace(self, channels=channels if depth is None else channels[:1] * depth)

    def costs(self, **sizes: int) -> Any:
        """The rows of batch_size images of height, width and channels, in num_classes."""
        from jaxgen.models.convnet.costs import convnet_rows

        return convnet_rows(self, **sizes)
