"""Sound, sample by sample: companding, dilated causal convolution, gated units, mixtures of logistics.

    (1) f(x) = sign(x) ln(1 + μ|x|) / ln(1 + μ),   −1 ≤ x ≤ 1                      companding
    (2) x = sign(f) ((1 + μ)^|f| − 1) / μ                                          its inverse
    (3) y_t = Σ_k W_k x_{t − (K − 1 − k) d},   x_t = 0 for t < 0                   causal convolution
    (4) z = tanh(a_f) ⊙ σ(a_g),   (a_f, a_g) = W ∗ x + V h                         gated unit
    (5) R = 1 + Σ_l (K − 1) d_l                                                    receptive field
    (6) p(x) = Σ_i π_i [σ((x + δ − m_i)/s_i) − σ((x − δ − m_i)/s_i)]               mixture of logistics

with δ = 1/(V − 1), half of a level on [−1, 1]; the outermost levels have all that lies beyond them.

Eqs. (1), (3), (4) and, with its dilations, (5) are van den Oord et al. 2016, "WaveNet: a generative
model for raw audio", sections 2.1 to 2.5, https://arxiv.org/abs/1609.03499; h are the features
that sound is conditioned on, of the moment or of all of the clip. Eq. (2) follows from (1), the μ-law
of ITU-T G.711 as a formula. Eq. (6) is Salimans et al. 2017, "PixelCNN++", section 2.1,
https://arxiv.org/abs/1701.05517, which the second WaveNet took over for 16 bits.

Nothing is carried from one time to the next: y_t is a function of R samples, all of them given.
`causal_step` is Eq. (3) at one time, from the K − 1 inputs that a queue has kept.

Shape letters: *B leading axes, T time, D channels in, F channels out, H gated channels, G2 = 2·H,
V levels, M components of the mixture, P = 3·M their parameters. Nats.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations.likelihoods import LOG_SCALE_MIN, discretised_logistic_log_probability
from jaxgen.equations.precision import widen


def compand(x: Float[Array, "*B"], mu: float = 255.0) -> Float[Array, "*B"]:
    """Eq. (1): x in [−1, 1] to [−1, 1], with fine steps where sound is quiet.

    Its slope at 0 is μ / ln(1 + μ); there |x| is taken as it is, so that the gradient is that slope.
    """
    # sign(x)·log1p(μ|x|) has gradient 0 at x = 0 by autodiff: each half has its own formula instead.
    up, down = jnp.log1p(mu * jnp.maximum(x, 0.0)), jnp.log1p(mu * jnp.maximum(-x, 0.0))
    return (up - down) / math.log1p(mu)


def expand(companded: Float[Array, "*B"], mu: float = 255.0) -> Float[Array, "*B"]:
    """Eq. (2): the inverse of `compand`."""
    rate = math.log1p(mu)
    up = jnp.expm1(rate * jnp.maximum(companded, 0.0))
    down = jnp.expm1(rate * jnp.maximum(-companded, 0.0))
    return (up - down) / mu


def to_levels(value: Float[Array, "*B"], levels: int) -> Int[Array, "*B"]:
    """The nearest of V equidistant levels 0 .. V − 1 on [−1, 1]; what lies outside goes to the ends."""
    places = jnp.floor((value + 1.0) * (0.5 * (levels - 1)) + 0.5)
    return jnp.clip(places, 0, levels - 1).astype(jnp.int32)


def from_levels(level: Int[Array, "*B"], levels: int) -> Float[Array, "*B"]:
    """The number in [−1, 1] that a level stands for."""
    return level.astype(jnp.float32) * (2.0 / (levels - 1)) - 1.0


def causal_convolution(
    x: Float[Array, "B T D"], kernel: Float[Array, "K D F"], dilation: int = 1
) -> Float[Array, "B T F"]:
    """Eq. (3): K products of matrices, each of the sound shifted by one tap's delay, and their sum.

    Args:
      kernel: W_0 .. W_{K−1}, of which the last meets x_t itself. dilation: d.
    """
    taps, T = kernel.shape[0], x.shape[1]
    padded = jnp.pad(x, ((0, 0), ((taps - 1) * dilation, 0), (0, 0)))
    shifted = (padded[:, k * dilation : k * dilation + T] for k in range(taps))
    return functools.reduce(jnp.add, (each @ kernel[k] for k, each in enumerate(shifted)))


def causal_step(
    kept: Sequence[Float[Array, "B D"]], kernel: Float[Array, "K D F"]
) -> Float[Array, "B F"]:
    """Eq. (3) at one time.

    Args:
      kept: x_{t − (K−1) d}, ..., x_{t − d}, x_t: K inputs, the oldest first.
    """
    return functools.reduce(jnp.add, (x @ kernel[k] for k, x in enumerate(kept)))


def gated_unit(a: Float[Array, "*B G2"]) -> Float[Array, "*B H"]:
    """Eq. (4): the first half of the channels through tanh, times the second half through a sigmoid."""
    content, gate = jnp.split(a, 2, axis=-1)
    return jnp.tanh(content) * jax.nn.sigmoid(gate)


def receptive_field(filter_width: int, dilations: Sequence[int]) -> int:
    """Eq. (5): how many samples one output can see, its own time included."""
    return 1 + (filter_width - 1) * sum(dilations)


def logistic_mixture_nats(
    parameters: Float[Array, "*B P"], x: Float[Array, "*B"], levels: int
) -> Float[Array, "*B"]:
    """Eq. (6): −log p of a level, in nats.

    Args:
      parameters: logits of π, means m and log scales log s, M of each side by side.
      x: on [−1, 1], the number that a level stands for. levels: V.
    """
    logits, mean, log_scale = jnp.split(widen(parameters), 3, axis=-1)
    every = jnp.broadcast_to(x[..., None], mean.shape)
    each = discretised_logistic_log_probability(every, mean, log_scale, levels)
    return -jax.nn.logsumexp(jax.nn.log_softmax(logits, axis=-1) + each, axis=-1)


def sample_logistic_mixture(
    key: Array, parameters: Float[Array, " P"], levels: int
) -> Float[Array, ""]:
    """Eq. (6): one draw, a component and then its logistic, at the nearest level."""
    choice_key, place_key = jax.random.split(key)
    logits, mean, log_scale = jnp.split(widen(parameters), 3)
    component = jax.random.categorical(choice_key, logits)
    u = jax.random.uniform(place_key, minval=1e-6, maxval=1.0 - 1e-6)
    scale = jnp.exp(jnp.maximum(log_scale[component], LOG_SCALE_MIN))
    drawn = mean[component] + scale * (jnp.log(u) - jnp.log1p(-u))
    return from_levels(to_levels(drawn, levels), levels)


def tempered_mixture(parameters: Float[Array, "*B P"], temperature: float) -> Float[Array, "*B P"]:
    """Eq. (6) at a temperature τ: logits of π over τ, scales times τ."""
    logits, mean, log_scale = jnp.split(parameters, 3, axis=-1)
    return jnp.concatenate([logits / temperature, mean, log_scale + math.log(temperature)], axis=-1)
