"""The sizes of a U-Net; apart from its module so that help and costs need no jax."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import UserError, check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class UNetConfig(ModelConfig):
    """A U-Net of residual blocks with attention (Ho et al. 2020, appendix B)."""

    channels: int = 32
    """C, channels of the first convolution."""
    multiples: tuple[int, ...] = (1, 2, 2)
    """Of C, for each level; each level has half the height and width of the one before."""
    num_blocks: int = 2
    """R, residual blocks of a level on the way down; one more on the way up."""
    attention_levels: tuple[int, ...] = (1,)
    """Levels, from 0, whose blocks are each followed by attention over all pixels."""
    num_heads: int = 1
    """N, attention heads."""
    num_groups: int = 8
    """Groups of channels that are normalised together; 32 in the paper."""
    dropout: float = 0.0
    """Probability of dropping a number inside a block while training."""
    convolution: Literal["auto", "native", "patches"] = "auto"
    """The platform's own, or patches and a matmul; auto takes patches on a CPU, else native."""

    def __post_init__(self):
        for name in ("channels", "num_blocks", "num_heads", "num_groups"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        check(self, "multiples", lambda x: x and min(x) >= 1, "numbers of 1 or more", "model.")
        last = len(self.multiples) - 1
        check(
            self, "attention_levels", lambda x: all(0 <= level <= last for level in x),
            f"levels from 0 to {last}", "model.",
        )  # fmt: skip
        check(self, "dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
        for name in ("num_groups", "num_heads"):
            if self.channels % getattr(self, name):
                flag = name.replace("_", "-")
                raise UserError(
                    f"--model.channels {self.channels} is not a multiple of --model.{flag} "
                    f"{getattr(self, name)}: change one of them."
                )

    @property
    def embedding_size(self) -> int:
        """E, features that tell the noise and the class: 4 C, as in the paper."""
        return 4 * self.channels

    def make(self, shape: tuple[int, ...], num_classes: int | None, outputs: int) -> Any:
        """The module for images of this shape, with so many outputs for each of their numbers.

        num_classes: None where it is not told the class. Raises UserError where they cannot be halved.
        """
        from jaxgen.models.unet.model import UNet

        halvings = 2 ** (len(self.multiples) - 1)
        if len(shape) != 3 or shape[0] % halvings or shape[1] % halvings:
            raise UserError(
                f"--model.multiples has {len(self.multiples)} levels, and examples of the shape {shape} "
                f"are no images whose sides are multiples of {halvings}: give fewer levels, or other "
                "images."
            )
        return UNet(self, shape, num_classes, outputs)

    @property
    def width(self) -> int:
        """C."""
        return self.channels

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "UNetConfig":
        """C of that width, with groups and heads that divide it, or so many blocks of a level."""
        sizes: dict[str, Any] = {} if depth is None else {"num_blocks": depth}
        if width is not None:
            names = ("num_groups", "num_heads")
            sizes |= {name: math.gcd(width, getattr(self, name)) for name in names}
            sizes["channels"] = width
        return replace(self, **sizes)

    def costs(self, **sizes: Any) -> Any:
        """The rows of batch_size images."""
        from jaxgen.models.unet.costs import unet_rows

        return unet_rows(self, **sizes)


def ddpm_cifar10() -> UNetConfig:
    """The paper's network for 32 x 32 pixels (appendix B), of 35.7 million parameters."""
    return UNetConfig(128, (1, 2, 2, 2), 2, (1,), 1, 32, dropout=0.1)
