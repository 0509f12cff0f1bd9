"""DiT: a transformer over the patches of a noisy image, told noise and class by its norms.

(1) tokens = patches W + positions;  c = silu(noise embedding + class embedding)
(2) x <- x + g1(c) Attention(modulated(x, c)),  x <- x + g2(c) W2 gelu(W1 modulated(x, c))    L times
(3) patches of the output = W' modulated(x, c)

All six modulations of a block, and the last two, are a linear map of c that starts at zero, so that a
block begins as the identity. Peebles & Xie 2023, "Scalable diffusion models with transformers", section
3.2 (adaLN-zero), https://arxiv.org/abs/2212.09748. Positions are sines of row and column, fixed.

In the catalogue: `transformer.gelu`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import transformer
from jaxgen.layers.attention import Attention
from jaxgen.layers.conditioning import ClassEmbedding, NoiseEmbedding, modulated
from jaxgen.models.dit.config import DiTConfig

INIT = nn.initializers.xavier_uniform()


class Block(nn.Module):
    """Eq. (2)."""

    config: DiTConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T D"], condition: Float[Array, "B D"]
    ) -> Float[Array, "B T D"]:
        """One block."""
        config, D = self.config, self.config.model_size
        own = nn.Dense(6 * D, kernel_init=nn.initializers.zeros, name="modulation")(condition)
        shift1, scale1, gate1, shift2, scale2, gate2 = jnp.split(own, 6, axis=-1)
        attention = Attention(
            config.num_heads, config.head_size, nn.initializers.normal(D**-0.5),
            nn.initializers.normal(D**-0.5), form=config.attention, name="attention",
        )  # fmt: skip
        x = x + gate1[:, None] * attention(modulated(x, scale1, shift1))
        hidden = nn.Dense(config.hidden_size, kernel_init=INIT, name="in")
        out = nn.Dense(D, kernel_init=INIT, name="out")
        changed = out(transformer.gelu_tanh(hidden(modulated(x, scale2, shift2))))
        return x + gate2[:, None] * changed


class DiT(nn.Module):
    """Eqs. (1) to (3): scaled z, λ and class to one or several outputs for each number."""

    config: DiTConfig
    shape: tuple[int, int, int]
    num_classes: int | None
    outputs: int

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "B X"],
        log_snr: Float[Array, "B *K"],
        label: Int[Array, " B"] | None = None,
    ) -> Float[Array, "B X"] | Float[Array, "B X V"]:
        """(B, X) for one output, else (B, X, outputs); label num_classes is no class."""
        config, D, P = self.config, self.config.model_size, self.config.patch_size
        height, width, C = self.shape
        rows, columns = height // P, width // P
        condition = NoiseEmbedding(D)(log_snr)
        if self.num_classes is not None:
            condition = condition + ClassEmbedding(self.num_classes, D)(label)
        condition = jax.nn.silu(condition)
        patches = z.reshape(-1, rows, P, columns, P, C).transpose(0, 1, 3, 2, 4, 5)
        patches = patches.reshape(-1, rows * columns, P * P * C)
        x = nn.Dense(D, kernel_init=INIT, name="in")(patches) + positions(rows, columns, D)[None]
        for layer in range(config.num_layers):
            x = Block(config, name=f"block{layer}")(x, condition)
        last = nn.Dense(2 * D, kernel_init=nn.initializers.zeros, name="modulation")
        shift, scale = jnp.split(last(condition), 2, axis=-1)
        out = nn.Dense(P * P * C * self.outputs, kernel_init=nn.initializers.zeros, name="out")
        y = out(modulated(x, scale, shift))
        y = y.reshape(-1, rows, columns, P, P, C, self.outputs).transpose(0, 1, 3, 2, 4, 5, 6)
        return y.reshape(z.shape if self.outputs == 1 else (*z.shape, self.outputs))


def positions(rows: int, columns: int, size: int) -> Float[Array, "T D"]:
    """Sines and cosines of each patch's row and column, a quarter of the features each.

    Vaswani et al. 2017, section 3.5, on two axes; features left over, where 4 does not divide, are 0.
    """
    quarter = size // 4
    frequencies = 10000.0 ** (-jnp.arange(quarter) / max(quarter, 1))
    row, column = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies[None] for place in (row, column)]
    waves = [wave(angle) for angle in angles for wave in (jnp.sin, jnp.cos)]
    return jnp.pad(jnp.concatenate(waves, axis=1), ((0, 0), (0, size - 4 * quarter)))
