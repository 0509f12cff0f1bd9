"""The sizes of a WaveNet; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class WaveNetConfig(ModelConfig):
    """Dilated causal convolutions, gated units, residual and skip paths (van den Oord et al. 2016)."""

    num_layers: int = 10
    """L, gated layers."""
    cycle: int = 10
    """Layers until the dilation, which doubles from 1 on, begins again at 1."""
    filter_width: int = 2
    """K, taps of each causal convolution."""
    model_size: int = 32
    """D, channels of the residual path."""
    hidden_size: int = 32
    """H, channels behind a gate."""
    skip_size: int = 64
    """S, channels of the skip path, and of the layer behind it."""
    label_size: int = 16
    """E, the embedding of what holds for all of a clip; read where the data has labels."""

    def __post_init__(self):
        for name in (
            "num_layers", "filter_width", "model_size", "hidden_size", "skip_size", "label_size",
        ):  # fmt: skip
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        check(self, "cycle", lambda x: 1 <= x <= 20, "1 to 20", "model.")

    @property
    def dilations(self) -> tuple[int, ...]:
        """Of each layer: 1, 2, 4, ... and from 1 again."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.num_layers))

    @property
    def receptive_field(self) -> int:
        """R, samples before the next one that its distribution can depend on.

        Those of the stack, and K − 1 of the convolution before it.
        """
        return 1 + (self.filter_width - 1) * (1 + sum(self.dilations))

    def make(
        self, levels: int | None, outputs: int, num_features: int = 0, num_labels: int = 0
    ) -> Any:
        """The module.

        Args:
          levels: of the signal, each with a vector of its own beside the number; None: the number alone.
          outputs: numbers that describe the next sample's distribution.
          num_features: C, of each frame. num_labels: of a clip; 0: none.
        """
        from jaxgen.models.wavenet.model import WaveNet

        return WaveNet(self, levels, outputs, num_features, num_labels)

    @property
    def width(self) -> int:
        """D."""
        return self.model_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "WaveNetConfig":
        """D and H of that width with S twice as wide, or so many layers."""
        sizes: dict[str, int] = {} if depth is None else {"num_layers": depth}
        if width is not None:
            sizes |= {"model_size": width, "hidden_size": width, "skip_size": 2 * width}
        return replace(self, **sizes)

    def costs(self, **sizes: Any) -> Any:
        """The rows of batch_size windows of seq_len samples."""
        from jaxgen.models.wavenet.costs import wavenet_rows

        return wavenet_rows(self, **sizes)
