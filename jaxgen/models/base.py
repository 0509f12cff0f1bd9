"""What every model's config can do; no jax here, so that help is quick."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from jaxgen.errors import UserError


@dataclass(frozen=True)
class ModelConfig(ABC):
    """The sizes of one architecture. A field typed so takes the flags of the instance it holds."""

    @property
    def model_axes(self) -> dict[str, int]:
        """Parameter path pattern -> the axis that a mesh's `model` may split; none by default."""
        return {}

    @abstractmethod
    def make(self, *sizes: Any) -> Any:
        """The linen module, or modules, for data of these sizes."""

    @property
    @abstractmethod
    def width(self) -> int:
        """What `scaled(width=)` sets."""

    @abstractmethod
    def scaled(self, *, width: int | None = None, depth: int | None = None) -> ModelConfig:
        """The same architecture with hidden layers of that width, or so many of them; for sweeps."""

    @abstractmethod
    def costs(self, **sizes: Any) -> Any:
        """The rows of its forward and backward pass, see its `costs.py`."""


Labels = Literal["none", "embedding", "projection"]
"""How the players of a GAN are told the class: not at all; both by an embedding; the discriminator by
the product of one with its features."""


def smallest(shape: tuple[int, ...], num_convolutions: int) -> tuple[int, int]:
    """Height and width of an image beneath so many convolutions of stride 2."""
    halvings = 2**num_convolutions
    height, width = shape[:2]
    if len(shape) != 3 or height % halvings or width % halvings:
        raise UserError(
            f"--model.channels has {num_convolutions} convolutions, each of which halves an image, and "
            f"{' x '.join(map(str, shape[:2]))} are no multiples of {halvings}: give fewer, or --resize "
            "the images."
        )
    return height // halvings, width // halvings
