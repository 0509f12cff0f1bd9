"""WaveNet, p(x_1, ..., x_T) = prod_t p(x_t | x_<t, h_t, g).

(1) u_t = w x_t + E[level of x_t]                      the number, and a vector for its level
(2) r^1 = W^0 * u                                      causal, not dilated
(3) z^l = gate(W^l * r^l + V^l h + U^l g + b^l)        causal, dilated; gate(a, a') = tanh(a) σ(a')
(4) r^{l+1} = r^l + z^l A^l + a^l                      the residual path
(5) s = [z^1, ..., z^L] B + b                          all skip projections, as one product
(6) outputs = relu(relu(s) C + c) O + o

van den Oord et al. 2016, sections 2.1 to 2.5, https://arxiv.org/abs/1609.03499. Their sum of L skip
projections is the one product (5). The last layer has no (4), which nothing would read. h are features
of the moment ("local"), constant over a frame, g one vector for a whole clip ("global").

The same parameters make two programs: `__call__` sees all times of a clip at once, `step` one time, with
the inputs of each convolution that it still needs kept in a queue.

In the catalogue: `sound.causal-convolution`, `sound.gated-unit`.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from jaxgen.equations import sound
from jaxgen.models.wavenet.config import WaveNetConfig

Queues = list[Float[Array, "B _ D"]]
"""Of each convolution, the last Q = (K − 1) d inputs, in a ring: that of time t lies at t mod Q."""


class WaveNet(nn.Module):
    """A signal in [-1, 1] to what describes each next sample, Eqs. (1) to (6)."""

    config: WaveNetConfig
    levels: int | None
    outputs: int
    num_features: int
    num_labels: int

    def setup(self):
        """Every parameter; those of the gate are side by side, so that each tap is one product."""
        c = self.config
        K, D, H, S, L = c.filter_width, c.model_size, c.hidden_size, c.skip_size, c.num_layers
        G = 2 * H
        self.value = self.param("value", _normal(1.0), (D,))
        if self.levels is not None:
            self.embedding = self.param("embedding", _normal(0.1), (self.levels, D))
        self.first = self.param("first", _normal((K * D) ** -0.5), (K, D, D))
        self.taps = [self.param(f"taps_{i}", _normal((K * D) ** -0.5), (K, D, G)) for i in range(L)]
        self.biases = [self.param(f"bias_{i}", nn.initializers.zeros, (G,)) for i in range(L)]
        if self.num_features:
            std, shape = self.num_features**-0.5, (self.num_features, L * G)
            self.local = self.param("local", _normal(std), shape)
        if self.num_labels:
            self.label = self.param("label", _normal(1.0), (self.num_labels, c.label_size))
            self.globals = self.param("global", _normal(c.label_size**-0.5), (c.label_size, L * G))
        self.residuals = [Affine(D, H**-0.5, name=f"residual_{i}") for i in range(L - 1)]
        self.skip = Affine(S, (L * H) ** -0.5)
        self.hidden = Affine(S, math.sqrt(2 / S))
        self.out = Affine(self.outputs, 0.0)

    def __call__(
        self,
        signal: Float[Array, "B T"],
        features: Float[Array, "B frames C"] | None = None,
        label: Int[Array, " B"] | None = None,
    ) -> Float[Array, "B T V"]:
        """Output t is of the sample behind signal[t], and sees signal[0..t] only.

        Args:
          features: of the samples that are described, for frames of T / frames samples each.
          label: of each clip.
        """
        frames = 1 if features is None else features.shape[1]
        if signal.shape[1] % frames:
            raise ValueError(f"{frames} frames do not divide {signal.shape[1]} samples")
        conditions = self.conditions(features, label)
        x, gated = sound.causal_convolution(self.inputs(signal), self.first), []  # Eq. (2)
        for layer, dilation in enumerate(self.config.dilations):
            a = sound.causal_convolution(x, self.taps[layer], dilation)
            a = _per_frame_sum(a, conditions[layer])
            gated.append(sound.gated_unit(a))  # Eq. (3)
            if layer < len(self.residuals):
                x = x + self.residuals[layer](gated[-1])  # Eq. (4)
        return self.head(jnp.concatenate(gated, axis=-1))

    def inputs(self, signal: Float[Array, "*B"]) -> Float[Array, "*B D"]:
        """Eq. (1)."""
        D = self.config.model_size
        x = signal[..., None] * self.value.reshape((1,) * signal.ndim + (D,))
        if self.levels is None:
            return x
        return x + self.embedding[sound.to_levels(signal, self.levels)]

    def conditions(self, features: Any, label: Any) -> list[Float[Array, "B frames G"]]:
        """V h + U g + b of each layer; one frame, and one row, where there is neither h nor g."""
        total = jnp.concatenate(self.biases)[None, None]
        if self.num_features:
            total = total + features @ self.local
        if self.num_labels:
            total = total + (self.label[label] @ self.globals)[:, None]
        return jnp.split(total, self.config.num_layers, axis=-1)

    def head(self, gated: Float[Array, "*B LH"]) -> Float[Array, "*B V"]:
        """Eqs. (5) and (6)."""
        return self.out(jax.nn.relu(self.hidden(jax.nn.relu(self.skip(gated)))))

    def empty_queues(self, batch_size: int) -> Queues:
        """The queues before the first sample: silence, as the zeros around a convolution."""
        c = self.config
        sizes = [(c.filter_width - 1) * dilation for dilation in (1, *c.dilations)]
        return [jnp.zeros((batch_size, size, c.model_size)) for size in sizes]

    def step(
        self,
        queues: Queues,
        t: Int[Array, ""],
        signal: Float[Array, " B"],
        conditions: list[Float[Array, "B G"]],
    ) -> tuple[Queues, Float[Array, "B V"]]:
        """Time t alone: the queues behind it, and what `__call__` has there.

        conditions: those of time t, from `conditions`.
        """
        queues, gated = list(queues), []
        x, queues[0] = _queued(queues[0], t, self.inputs(signal), self.first, 1)
        for layer, dilation in enumerate(self.config.dilations):
            a, queues[layer + 1] = _queued(queues[layer + 1], t, x, self.taps[layer], dilation)
            gated.append(sound.gated_unit(a + conditions[layer]))
            if layer < len(self.residuals):
                x = x + self.residuals[layer](gated[-1])
        return queues, self.head(jnp.concatenate(gated, axis=-1))


class Affine(nn.Module):
    """x W + b, with W drawn at a deviation."""

    features: int
    deviation: float

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B F"]:
        """The projected features."""
        kernel = self.param("kernel", _normal(self.deviation), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return x @ kernel + bias.reshape((1,) * (x.ndim - 1) + (-1,))


def _normal(deviation: float):
    return nn.initializers.normal(deviation) if deviation else nn.initializers.zeros


def _per_frame_sum(a: Float[Array, "B T G"], of_frames: Float[Array, "_ frames G"]) -> Array:
    """a, and to each of its times what its frame has."""
    B, T, G = a.shape
    frames = of_frames.shape[1]
    cut = a.reshape(B, frames, T // frames, G)
    return (cut + of_frames[:, :, None]).reshape(B, T, G)


def _queued(queue: Array, t: Array, x: Array, kernel: Array, dilation: int) -> tuple[Array, Array]:
    """(the convolution at time t, the queue with x in the place of the oldest input)."""
    length = queue.shape[1]
    if not length:
        return sound.causal_step([x], kernel), queue
    taps = kernel.shape[0]
    # Of K − 1 kept inputs the oldest, x_{t − (K−1) d}, lies where x_t will.
    places = [(t + k * dilation) % length for k in range(taps - 1)]
    kept = [lax.dynamic_index_in_dim(queue, place, 1, keepdims=False) for place in places]
    after = lax.dynamic_update_index_in_dim(queue, x, t % length, 1)
    return sound.causal_step([*kept, x], kernel), after
