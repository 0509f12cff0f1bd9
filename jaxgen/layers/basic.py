"""A projection written as its einsum, and an MLP."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxgen.layers.dropout import Dropout


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


class MLP(nn.Module):
    """Fully connected layers: relu(x W + b) for each hidden size, then a linear output.

    Dropout follows each hidden layer where keys are given. with_features: beside the output what the
    last hidden layer makes, for those who read it too.
    """

    hidden_sizes: tuple[int, ...]
    output_size: int
    dropout: float = 0.0
    with_features: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "B inputs"], dropout_keys=None
    ) -> Float[Array, "B outputs"] | tuple[Float[Array, "B outputs"], Float[Array, "B D"]]:
        """From inputs to output_size features; dropout_keys (B,) switch dropout on."""
        for size in self.hidden_sizes:
            x = jax.nn.relu(nn.Dense(size)(x))
            x = Dropout(self.dropout)(x, dropout_keys)
        outputs = nn.Dense(self.output_size)(x)
        return (outputs, x) if self.with_features else outputs
