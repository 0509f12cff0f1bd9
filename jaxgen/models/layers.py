"""The layers that the models share: a projection written as its einsum, an MLP, initialisers."""

import zlib
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxgen.models.gpt_config import GPTConfig


class Einsum(nn.Module):
    """y = einsum(equation, x, kernel) + bias, so that a projection reads as its equation.

    The bias (None: none) has the shape of y's last axes. Parameters are float32 and are cast to
    x's dtype to compute; y has x's dtype too, or that of `output_dtype`, in which the sums are kept.
    """

    equation: str
    kernel_shape: tuple[int, ...]
    bias_shape: tuple[int, ...] | None
    init: Callable
    output_dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Contract x with the kernel and add the bias."""
        kernel = self.param("kernel", self.init, self.kernel_shape)
        dtype = self.output_dtype or x.dtype
        y = jnp.einsum(self.equation, x, kernel.astype(x.dtype), preferred_element_type=dtype)
        if self.bias_shape is None:
            return y
        bias = self.param("bias", nn.initializers.zeros, self.bias_shape).astype(dtype)
        return y + bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)


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


class MLP(nn.Module):
    """Fully connected layers: relu(x W + b) for each hidden size, then a linear output.

    Dropout follows each hidden layer where keys are given.
    """

    hidden_sizes: tuple[int, ...]
    output_size: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "B inputs"], dropout_keys=None) -> Float[Array, "B outputs"]:
        """From inputs to output_size features; dropout_keys (B,) switch dropout on."""
        for size in self.hidden_sizes:
            x = jax.nn.relu(nn.Dense(size)(x))
            x = Dropout(self.dropout)(x, dropout_keys)
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
