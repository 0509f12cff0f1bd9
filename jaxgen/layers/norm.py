"""Normalisation over the features of each position."""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from jaxgen.equations import transformer


class Norm(nn.Module):
    """LayerNorm with scale and bias ('layer'), or RMSNorm without parameters ('rms')."""

    kind: Literal["layer", "rms"] = "layer"

    @nn.compact
    def __call__(self, x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
        """Normalise over D."""
        if self.kind == "rms":
            return transformer.rms_norm(x)
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        return transformer.layer_norm(x, scale, bias)
