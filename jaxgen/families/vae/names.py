"""What a person names of a VAE's pixels; no jax here, so that help and costs are quick."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

LikelihoodName = Literal[
    "bernoulli", "gaussian-fixed", "gaussian-learned", "gaussian-pixel", "logistic", "categorical"
]
PixelsName = Literal["threshold", "once", "draw", "grey", "no"]

JUDGED: Mapping[str, str] = MappingProxyType(
    {"threshold": "threshold", "once": "drawn-once", "draw": "drawn-anew", "grey": "grey"}
)
"""How metrics call binary pixels: numbers of two kinds of them cannot be compared."""

OF_LEVELS = ("logistic", "categorical")


def outputs_of(likelihood: str, levels: int) -> int:
    """Numbers that a decoder gives for each pixel."""
    return {"gaussian-pixel": 2, "logistic": 2, "categorical": levels}.get(likelihood, 1)


def judged_pixels(likelihood: str, binarise: str, levels: int) -> str:
    """What a metric is of: threshold, drawn-once, drawn-anew, grey, 17-levels, grey-density."""
    if likelihood == "bernoulli":
        return JUDGED[binarise]
    return f"{levels}-levels" if likelihood in OF_LEVELS else "grey-density"
