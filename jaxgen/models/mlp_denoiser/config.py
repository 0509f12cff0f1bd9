"""The sizes of an MLP that denoises; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class MLPDenoiserConfig(ModelConfig):
    """Residual blocks of two layers, each told noise and class by its norm (as in DiT)."""

    num_layers: int = 3
    """L, residual blocks."""
    model_size: int = 256
    """D, the width of the residual stream and of the embeddings."""
    hidden_size: int = 256
    """F, the width inside a block."""
    waves: int = 0
    """K, pairs of sine and cosine of each input number beside it; for points, whose details are fine."""
    dropout: float = 0.0
    """Probability of dropping a number inside a block while training; for few examples."""

    def __post_init__(self):
        for name in ("num_layers", "model_size", "hidden_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        check(self, "dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
        check(self, "waves", lambda x: 0 <= x <= 12, "0 to 12", "model.")

    def make(self, shape: tuple[int, ...], num_classes: int | None, outputs: int) -> Any:
        """The module for examples of this shape, with so many outputs for each of their numbers.

        num_classes: None where it is not told the class.
        """
        from jaxgen.models.mlp_denoiser.model import MLPDenoiser

        return MLPDenoiser(self, num_classes, outputs)

    @property
    def width(self) -> int:
        """D."""
        return self.model_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "MLPDenoiserConfig":
        """Stream and hidden layers of that width, or so many blocks."""
        sizes = {} if width is None else {"model_size": width, "hidden_size": width}
        return replace(self, **sizes, num_layers=depth or self.num_layers)

    def costs(self, **sizes: Any) -> Any:
        """The rows of batch_size examples of a shape."""
        from jaxgen.models.mlp_denoiser.costs import denoiser_rows

        return denoiser_rows(self, **sizes)
