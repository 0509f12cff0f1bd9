"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too, if its instances
are hashable: they are what a program is compiled for.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float

from jaxgen.layers.gaussian import Gaussian


@runtime_checkable
class Autoencoder(Protocol):
    """Images (B, height, width, C) to latents (B, Z) and back.

    Attributes:
      latent_size: Z. image_shape: (height, width, C).
    """

    latent_size: int
    image_shape: tuple[int, int, int]

    def apply(self, variables: Any, *inputs: Any, method: Any = None) -> Any:
        """The method of that name with variables["params"], pure; without one, decode at q's mean."""

    def encode(self, image: Float[Array, "B height width C"]) -> Gaussian:
        """q(z|x): mean and log-variance, (B, Z) each."""
        ...

    def decode(
        self, latent: Float[Array, "B Z"]
    ) -> Float[Array, "B pixels"] | Float[Array, "B pixels outputs"]:
        """p(x|z): for each number of an image the outputs that its likelihood takes."""
        ...


@runtime_checkable
class TwoLayerAutoencoder(Autoencoder, Protocol):
    """With a second layer of latents above the first.

    Attributes:
      upper_size: of z₂.
    """

    upper_size: int

    def encode_upper(self, latent: Float[Array, "B Z"]) -> Gaussian:
        """q(z₂|z₁): (B, upper_size) each."""
        ...

    def decode_upper(self, upper: Float[Array, "B upper"]) -> Gaussian:
        """p(z₁|z₂): (B, Z) each."""
        ...
