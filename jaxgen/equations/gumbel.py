"""A draw from V categories that can be differentiated: the Gumbel-softmax.

Jang et al. 2017, "Categorical reparameterization with Gumbel-softmax", https://arxiv.org/abs/1611.01144
    (1) g = −log(−log u),  u uniform in (0, 1);  argmax_k (l_k + g_k) is a draw from softmax(l)   eq. (1)
    (2) y = softmax((l + g) / τ)                                                                  eq. (2)
    (3) y_hard = onehot(argmax y) + y − sg(y)                                                section 2.2
    (4) KL(softmax(l) ‖ uniform) = log V + Σ p log p,  p = softmax(l)

(2) goes to (1) with τ -> 0, and its gradient's variance to infinity; Maddison et al. 2017, "The concrete
distribution", https://arxiv.org/abs/1611.00712, found it at the same time. (3) has the value of a draw
and the gradient of (2). With (4) the ELBO is that of Ramesh et al. 2021 (DALL-E), section 2.1,
https://arxiv.org/abs/2102.12092, whose prior over codes is uniform.

Shape letters: *B leading axes, V categories. Nats.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen


def gumbel_softmax(
    logits: Float[Array, "*B V"],
    gumbel: Float[Array, "*B V"],
    temperature: Float[Array, ""] | float,
) -> Float[Array, "*B V"]:
    """Eq. (2): shares that sum to 1, nearer to one category the lower τ is.

    Args:
      gumbel: g of Eq. (1), as `jax.random.gumbel` draws it. temperature: τ, above 0.
    """
    return jax.nn.softmax((widen(logits) + gumbel) / temperature, axis=-1)


def straight_through_draw(shares: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
    """Eq. (3): 1 at the greatest share and 0 elsewhere, with the gradient of the shares."""
    hard = jax.nn.one_hot(jnp.argmax(shares, axis=-1), shares.shape[-1], dtype=shares.dtype)
    return shares + jax.lax.stop_gradient(hard - shares)


def uniform_kl(logits: Float[Array, "*B V"]) -> Float[Array, "*B"]:
    """Eq. (4): nats by which softmax(l) differs from the uniform prior, 0 to log V."""
    logs = jax.nn.log_softmax(widen(logits), axis=-1)
    return math.log(logits.shape[-1]) + jnp.sum(jnp.exp(logs) * logs, axis=-1)
