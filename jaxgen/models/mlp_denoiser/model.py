"""A denoiser of fully connected layers.

(1) c = silu(noise embedding + class embedding)
(2) h <- h + W2 silu(W1 modulated(h, c) + b1) + b2,  L times, from h = W [z, sin, cos] + b
(3) output = W' modulated(h, c) + b'

The blocks are DiT's (Peebles & Xie 2023, section 3.2, https://arxiv.org/abs/2212.09748) without
attention; sines of the input are Tancik et al. 2020's, https://arxiv.org/abs/2006.10739, Eq. (5).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.layers.conditioning import ClassEmbedding, NoiseEmbedding, modulated, with_waves
from jaxgen.layers.dropout import Dropout
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig


class MLPDenoiser(nn.Module):
    """Eqs. (1) to (3): scaled z, λ and class to one or several outputs for each number."""

    config: MLPDenoiserConfig
    num_classes: int | None
    outputs: int

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "B X"],
        log_snr: Float[Array, "B *K"],
        label: Int[Array, " B"] | None = None,
        dropout_keys=None,
    ) -> Float[Array, "B X"] | Float[Array, "B X V"]:
        """(B, X) for one output, else (B, X, outputs); label num_classes is no class.

        dropout_keys (B,) switch dropout on.
        """
        config, D = self.config, self.config.model_size
        condition = NoiseEmbedding(D)(log_snr)
        if self.num_classes is not None:
            condition = condition + ClassEmbedding(self.num_classes, D)(label)
        condition = jax.nn.silu(condition)
        h = nn.Dense(D, name="in")(with_waves(z, config.waves))
        for layer in range(config.num_layers):
            own = nn.Dense(2 * D, kernel_init=nn.initializers.zeros, name=f"modulation{layer}")
            scale, shift = jnp.split(own(condition), 2, axis=-1)
            hidden = nn.Dense(config.hidden_size, name=f"in{layer}")(modulated(h, scale, shift))
            out = nn.Dense(D, kernel_init=nn.initializers.zeros, name=f"out{layer}")
            drop = Dropout(config.dropout, name=f"dropout{layer}")
            h = h + out(drop(jax.nn.silu(hidden), dropout_keys))
        last = nn.Dense(2 * D, kernel_init=nn.initializers.zeros, name="modulation")
        scale, shift = jnp.split(last(condition), 2, axis=-1)
        size = z.shape[-1] * self.outputs
        head = nn.Dense(size, kernel_init=nn.initializers.zeros, name="out")
        y = head(modulated(h, scale, shift))
        return y if self.outputs == 1 else y.reshape(*z.shape, self.outputs)
