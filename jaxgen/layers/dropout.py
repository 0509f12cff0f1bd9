"""Dropout whose masks do not depend on how a batch is divided."""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dropout(nn.Module):
    """Each number set to 0 with probability `rate`, the others divided by 1 - rate.

    Srivastava et al. 2014, section 4. Each example draws from its own key, and each layer, by its
    name, another mask from the same keys; so the masks do not depend on how a batch is divided.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, "B ..."], keys=None) -> Float[Array, "B ..."]:
        """x itself where no keys (B,) are given or the rate is 0."""
        if keys is None or not self.rate:
            return x
        layer = zlib.crc32("/".join(self.path).encode())
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, layer)
        kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.rate, x.shape[1:]))(keys)
        return jnp.where(kept, x / (1 - self.rate), 0)
