"""The sizes of a DiT; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import UserError, check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class DiTConfig(ModelConfig):
    """A diffusion transformer with adaLN-zero (Peebles & Xie 2023)."""

    num_layers: int = 6
    """L, blocks."""
    num_heads: int = 4
    """N, attention heads."""
    model_size: int = 128
    """D."""
    hidden_size: int = 512
    """F, the width inside a block's feed-forward; 4 D in the paper."""
    patch_size: int = 4
    """P, pixels of a patch's side; has to divide height and width."""
    attention: Literal["auto", "literal", "blockwise", "fused"] = "auto"
    """Which form of attention."""

    def __post_init__(self):
        for name in ("num_layers", "num_heads", "model_size", "hidden_size", "patch_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        if self.model_size % self.num_heads:
            raise UserError(
                f"--model.model-size {self.model_size} is not a multiple of --model.num-heads "
                f"{self.num_heads}: change one of them."
            )

    @property
    def head_size(self) -> int:
        """H."""
        return self.model_size // self.num_heads

    def make(self, shape: tuple[int, ...], num_classes: int | None, outputs: int) -> Any:
        """The module for images of this shape, with so many outputs for each of their numbers.

        num_classes: None where it is not told the class. Raises UserError where patches do not fit.
        """
        from jaxgen.models.dit.model import DiT

        if len(shape) != 3 or shape[0] % self.patch_size or shape[1] % self.patch_size:
            raise UserError(
                f"--model.patch-size {self.patch_size} does not cut examples of the shape {shape} into "
                "patches: give a divisor of height and width."
            )
        return DiT(self, shape, num_classes, outputs)

    @property
    def width(self) -> int:
        """D."""
        return self.model_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "DiTConfig":
        """D of that width with F = 4 D and heads as they are where they fit, or so many blocks."""
        sizes: dict[str, Any] = {} if depth is None else {"num_layers": depth}
        if width is not None:
            heads = self.num_heads if width % self.num_heads == 0 else 1
            sizes |= {"model_size": width, "hidden_size": 4 * width, "num_heads": heads}
        return replace(self, **sizes)

    def costs(self, **sizes: Any) -> Any:
        """The rows of batch_size images."""
        from jaxgen.models.dit.costs import dit_rows

        return dit_rows(self, **sizes)


def dit_xl_2() -> DiTConfig:
    """DiT-XL/2, the paper's largest: 28 blocks of 1,152, patches of 2 (table 1)."""
    return DiTConfig(28, 16, 1152, 4608, 2)
