"""What a decoder's outputs say of pixels, by the likelihood's name.

Outputs are (B, X), or (B, X, O) where there are O numbers for each of the X pixels. Pixels are in
[0, 1]: of V levels k / (V − 1). Densities of grey levels are not probabilities of them, and grow without
bound as a variance falls.

In the catalogue: `lm.cross-entropy`, `vae.decoder`, `vae.discretised-logistic`,
`vae.reparameterisation`.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import vae
from jaxgen.equations.language import cross_entropy
from jaxgen.equations.likelihoods import discretised_logistic_log_probability

Outputs = Float[Array, "B X"] | Float[Array, "B X O"]


class Likelihood:
    """p(x|z) of a name.

    Attributes:
      name: see `names.LikelihoodName`. levels: V of logistic and categorical.
      deviation: σ of gaussian-fixed, and that from which gaussian-learned begins.
    """

    def __init__(self, name: str = "bernoulli", levels: int = 0, deviation: float = 1.0):
        self.name, self.levels, self.deviation = name, levels, deviation

    @property
    def own_params(self) -> dict[str, Array]:
        """Parameters beside the decoder's: the one log-variance of gaussian-learned."""
        learned = self.name == "gaussian-learned"
        return {"log_variance": jnp.float32(2 * math.log(self.deviation))} if learned else {}

    def log_density(
        self, params: Any, outputs: Outputs, pixels: Float[Array, "B X"]
    ) -> Float[Array, " B"]:
        """log p(x|z) in nats, summed over the pixels."""
        match self.name:
            case "bernoulli":
                return vae.bernoulli_log_density(pixels, outputs)
            case "categorical":
                level = jnp.round(pixels * (self.levels - 1)).astype(jnp.int32)
                return -jnp.sum(cross_entropy(outputs, level), axis=-1)
            case "logistic":
                each = discretised_logistic_log_probability(
                    2 * pixels - 1, outputs[..., 0], outputs[..., 1], self.levels
                )
                return jnp.sum(each, axis=-1)
        return vae.gaussian_log_density(pixels, *self._gaussian(params, outputs))

    def mean(self, outputs: Outputs) -> Float[Array, "B X"]:
        """E[x|z] as pixels, clipped to [0, 1]."""
        match self.name:
            case "bernoulli":
                return jax.nn.sigmoid(outputs)
            case "categorical":
                values = jnp.arange(self.levels) / (self.levels - 1)
                return jnp.einsum("BXV,V->BX", jax.nn.softmax(outputs, axis=-1), values)
            case "logistic":
                return jnp.clip((outputs[..., 0] + 1) / 2, 0.0, 1.0)
            case "gaussian-pixel":
                return jnp.clip(outputs[..., 0], 0.0, 1.0)
        return jnp.clip(outputs, 0.0, 1.0)

    def draw(self, params: Any, key: Any, outputs: Outputs) -> Float[Array, "B X"]:
        """x from p(x|z), as pixels; real ones are not clipped."""
        match self.name:
            case "bernoulli":
                return jax.random.bernoulli(key, jax.nn.sigmoid(outputs)).astype(jnp.float32)
            case "categorical":
                return jax.random.categorical(key, outputs).astype(jnp.float32) / (self.levels - 1)
            case "logistic":
                mean, scale = outputs[..., 0], jnp.exp(outputs[..., 1])
                drawn = (mean + scale * jax.random.logistic(key, mean.shape) + 1) / 2
                return jnp.clip(jnp.round(drawn * (self.levels - 1)) / (self.levels - 1), 0.0, 1.0)
        return vae.reparameterise(
            *self._gaussian(params, outputs), jax.random.normal(key, outputs.shape[:2])
        )

    def _gaussian(self, params, outputs) -> tuple[Float[Array, "B X"], Float[Array, "B X"]]:
        if self.name == "gaussian-pixel":
            return outputs[..., 0], outputs[..., 1]
        fixed = jnp.float32(2 * math.log(self.deviation))
        log_variance = params["log_variance"] if self.name == "gaussian-learned" else fixed
        return outputs, jnp.broadcast_to(log_variance, outputs.shape)
