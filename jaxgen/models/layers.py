"""The layers that the models share: a projection written as its einsum, an MLP, initialisers."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.models.gpt_config import GPTConfig


class Einsum(nn.Module):
    """y = einsum(equation, x, kernel) + bias, so that a projection reads as its equation.

    The bias (None: none) has the shape of y's last axes. Parameters are float32 and are cast to
    x's dtype to compute.
    """

    equation: str
    kernel_shape: tuple[int, ...]
    bias_shape: tuple[int, ...] | None
    init: Callable

    @nn.compact
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Contract x with the kernel and add the bias."""
        kernel = self.param("kernel", self.init, self.kernel_shape)
        y = jnp.einsum(self.equation, x, kernel.astype(x.dtype))
        if self.bias_shape is None:
            return y
        bias = self.param("bias", nn.initializers.zeros, self.bias_shape).astype(x.dtype)
        return y + bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)


class MLP(nn.Module):
    """Fully connected layers: relu(x W + b) for each hidden size, then a linear output.

    Dropout follows each hidden layer; with train set it needs a 'dropout' random stream.
    """

    hidden_sizes: tuple[int, ...]
    output_size: int
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Float[Array, "B inputs"], *, train: bool = False
    ) -> Float[Array, "B outputs"]:
        """From inputs to output_size features."""
        for size in self.hidden_sizes:
            x = jax.nn.relu(nn.Dense(size)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.output_size)(x)


def input_init(config: GPTConfig, fan_in: int) -> Callable:
    """The initialiser of a projection that reads the residual stream."""
    return nn.initializers.normal(0.02 if config.init == "gpt2" else fan_in**-0.5)


def output_init(config: GPTConfig) -> Callable:
    """The initialiser of a projection that writes to the residual stream.

    GPT-2 divides by the square root of the 2L writes, so that their sum keeps its scale
    (Radford et al. 2019, section 2.3).
    """
    if config.init == "gpt2":
        return nn.initializers.normal(0.02 / (2 * config.num_layers) ** 0.5)
    return nn.initializers.zeros


def head_init(config: GPTConfig) -> Callable:
    """The initialiser of an untied output projection, which reads the stream and writes logits."""
    if config.init == "gpt2":
        return nn.initializers.normal(0.02)
    return nn.initializers.zeros
