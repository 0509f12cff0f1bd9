"""Mixtures of round Gaussians in the plane on which generative models are tried.

The ring of 8 and the grid of 25 have the places and widths of Lin et al. 2018, "PacGAN", section 4.1,
https://arxiv.org/abs/1712.04086, which are those of VEEGAN (Srivastava et al. 2017, section 4): modes
that are narrow beside their distances, so that a lost one is seen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxgen.data.arrays.kind import Arrays

TRAINING, HELD_OUT = 100_000, 10_000
"""Points of each part, drawn once with a fixed seed."""


@dataclass(frozen=True)
class Mixture:
    """Equally likely Gaussians with one deviation along both axes.

    Attributes:
      centres: of each component. deviation: the standard deviation along an axis.
    """

    centres: tuple[tuple[float, ...], ...]
    deviation: float

    def draw(self, count: int, seed: int) -> Arrays:
        """`point` float32 [n, 2] and `label` int32 [n], which component it comes from."""
        rng = np.random.default_rng(seed)
        label = rng.integers(len(self.centres), size=count).astype(np.int32)
        noise = rng.standard_normal((count, len(self.centres[0])))
        point: Float[np.ndarray, "n X"] = np.asarray(self.centres)[label] + self.deviation * noise
        return Arrays({"point": point.astype(np.float32), "label": label})

    def log_density(self, points: Float[np.ndarray, "n X"]) -> Float[np.ndarray, " n"]:
        """log p of each point, in nats, in float64."""
        centres = np.asarray(self.centres)
        squared = ((points[:, None].astype(np.float64) - centres[None]) ** 2).sum(-1)
        exponents = -squared / (2 * self.deviation**2)
        greatest = exponents.max(1)
        summed = np.log(np.exp(exponents - greatest[:, None]).sum(1)) + greatest
        size = centres.shape[1]
        scale = size * np.log(self.deviation * np.sqrt(2 * np.pi)) + np.log(len(centres))
        return summed - scale


def ring() -> Mixture:
    """Eight on a circle of radius 1, deviation 0.01."""
    angles = 2 * np.pi * np.arange(8) / 8
    return Mixture(tuple((float(np.cos(a)), float(np.sin(a))) for a in angles), 0.01)


def grid() -> Mixture:
    """Twenty-five at (2i, 2j), i and j from -2 to 2, deviation 0.05."""
    return Mixture(tuple((2.0 * i, 2.0 * j) for i in range(-2, 3) for j in range(-2, 3)), 0.05)
