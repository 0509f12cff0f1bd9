"""A trained discrete autoencoder as what turns images into tokens and tokens into images."""

import inspect
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.errors import UserError
from jaxgen.families.base import Trained


@dataclass(frozen=True)
class Codec:
    """Images as sequences of codes, row by row.

    Attributes:
      trained: the run of a discrete autoencoder. num_codes: V. grid: (I, J), places of an image.
    """

    trained: Trained
    num_codes: int
    grid: tuple[int, int]

    @property
    def length(self) -> int:
        """P = I J, codes of an image."""
        return math.prod(self.grid)

    def encode(self, image: Float[Array, "B height width C"]) -> Int[Array, "B P"]:
        """The codes of each image."""
        codes = self._apply(image, "encode")
        return codes.reshape(codes.shape[0], -1)

    def decode(self, codes: Int[Array, "B P"]) -> Float[Array, "B height width C"]:
        """The image of each sequence of codes, with pixels in [0, 1]."""
        images = self._apply(codes.reshape(codes.shape[0], *self.grid), "decode")
        return jnp.clip(images, 0.0, 1.0)

    def _apply(self, inputs: Any, method: str) -> Any:
        apply: Any = self.trained.task.apply
        return apply(self.trained.weights, inputs, method=method)


def make_codec(trained: Trained, run: str, shape: tuple[int, int, int]) -> Codec:
    """The codec of a run.

    Raises UserError where the run is none of a discrete autoencoder, or of images of another shape.
    """
    apply: Any = trained.task.apply
    knows = callable(apply) and "method" in inspect.signature(apply).parameters
    params = trained.weights.params
    if not knows or not isinstance(params, dict) or "quantiser" not in params:
        raise UserError(f"--codes.run {run} is no run of a discrete autoencoder: name one that is.")
    if tuple(trained.spec.shape) != tuple(shape):
        own, its = (" x ".join(map(str, each)) for each in (shape, trained.spec.shape))
        raise UserError(f"--codes.run {run} knows images of {its}, and the data has {own}.")
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    found = jax.eval_shape(lambda image: apply(trained.weights, image, method="encode"), image)
    codes = apply(trained.weights, None, method="codes")
    return Codec(trained, codes.shape[0], tuple(found.shape[1:]))
