"""Likelihoods of numbers that have few levels: what a decoder says of a pixel, or of a sample of sound.

    (1) p(x) = σ((x + δ − m)/s) − σ((x − δ − m)/s),  δ = 1/(V − 1)     discretised logistic
        the lowest level has all that lies below it, the highest all above
    (2) p(x = k) = softmax(l)_k                                         categorical

Eq. (1): Salimans et al. 2017, "PixelCNN++", section 2.1, https://arxiv.org/abs/1701.05517, for one
logistic; without its tails the levels would not sum to one. x is on [−1, 1], and V levels are 2 δ apart.
Eq. (2) is `language.cross_entropy`, negated. The densities of real and of binary numbers are Eqs. (2)
and (3) of `vae`. Nats. Shape letter: *B all axes.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

LOG_SCALE_MIN = -14.0
"""Of a logistic: well below half a level of 16 bits, ln 2^−16 = −11."""


def discretised_logistic_log_probability(
    x: Float[Array, "*B"], mean: Float[Array, "*B"], log_scale: Float[Array, "*B"], levels: int
) -> Float[Array, "*B"]:
    """Eq. (1): log of a level's probability, in nats each.

    Args:
      x: on [−1, 1], the number that a level stands for. mean: m. log_scale: log s. levels: V, 2 or more.
    """
    x, mean = widen(x), widen(mean)
    log_scale = jnp.maximum(widen(log_scale), LOG_SCALE_MIN)
    half = 1.0 / (levels - 1)
    centred, rate = x - mean, jnp.exp(-log_scale)
    upper, lower = (centred + half) * rate, (centred - half) * rate
    # σ(u) − σ(l) = σ(u) σ(−l) (1 − e^{−(u − l)}): no difference of nearly equal numbers, in any tail.
    inside = (
        jax.nn.log_sigmoid(upper)
        + jax.nn.log_sigmoid(-lower)
        + jnp.log(-jnp.expm1(-2.0 * half * rate))
    )
    ends = jnp.where(x < -1.0 + half, jax.nn.log_sigmoid(upper), inside)
    return jnp.where(x > 1.0 - half, jax.nn.log_sigmoid(-lower), ends)
