"""From a network's output to x̂, whatever it predicts, and from x̂ to a guided one.

In the catalogue: `diffusion.guidance`, `diffusion.lattice`, `diffusion.preconditioning`.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import diffusion
from jaxgen.equations.diffusion import Denoise
from jaxgen.equations.diffusion_schedules import Level, log_snr
from jaxgen.families.diffusion.module import Network


def lattice_levels(count: int) -> Float[Array, " V"]:
    """The values of so many grey levels, from -1 to 1."""
    return jnp.linspace(-1.0, 1.0, count)


@dataclass(frozen=True)
class Denoiser:
    """A network with the meaning of its output.

    Attributes:
      model: of outputs. prediction: what these are, see `Diffusion`.
      data_deviation: D, the data's deviation along an axis. levels: of a pixel, for a lattice.
      num_classes: the label that stands for no class; None where the model is told none.
    """

    model: Network
    prediction: str
    data_deviation: float
    levels: int
    num_classes: int | None

    def __call__(
        self,
        params: Any,
        z: Float[Array, "B X"],
        level: Level,
        label: Int[Array, " B"] | None,
        dropout_keys=None,
    ) -> Float[Array, "B X"]:
        """x̂ of z at a level of any schedule: only λ matters, z is brought to the scale at hand."""
        output, z, level = self.outputs(params, z, level, label, dropout_keys)
        prediction: Any = self.prediction
        match prediction:
            case "lattice":
                return diffusion.lattice_x(output, z, lattice_levels(self.levels), *level)
            case "edm":
                skip, out, _ = diffusion.preconditioning(*level, self.data_deviation)
                over = diffusion.over_features
                return over(skip) * z + over(out) * output
            case _:
                rate = Level(-jnp.ones_like(level.alpha), jnp.ones_like(level.sigma))
                return diffusion.x_of(prediction, output, z, level, rate)

    def outputs(
        self, params: Any, z, level: Level, label, dropout_keys=None
    ) -> tuple[Array, Array, Level]:
        """(the network's outputs, z and level in the scale in which they are meant).

        The flow's scale, α + σ = 1, for a velocity; α² + σ² = 1 for all else.
        """
        alpha, sigma = level
        line = self.prediction == "velocity"
        size = alpha + sigma if line else jnp.sqrt(jnp.square(alpha) + jnp.square(sigma))
        level, z = Level(alpha / size, sigma / size), z / size[:, None]
        into = diffusion.preconditioning(*level, self.data_deviation).into
        scaled = diffusion.over_features(into) * z
        told = None if self.num_classes is None else label
        keys = () if dropout_keys is None else (dropout_keys,)
        return self.model.apply({"params": params}, scaled, log_snr(*level), told, *keys), z, level

    def guided(
        self,
        params: Any,
        label: Int[Array, " B"] | None,
        weight: float = 1.0,
        interval: tuple[float, float] = (-100.0, 100.0),
    ) -> Denoise:
        """The function that samplers call; a weight of 1 needs one evaluation, any other two."""

        def denoise(z, level):
            conditional = self(params, z, level, label)
            if label is None or self.num_classes is None or weight == 1.0:
                return conditional
            none = jnp.full_like(label, self.num_classes)
            unconditional = self(params, z, level, none)
            weights = diffusion.guidance_weight(log_snr(*level), weight, interval)
            return diffusion.guided(conditional, unconditional, weights)

        return denoise
