"""Sampling: from a model's logits to the distribution that the next token is drawn from.

    (1) l_v <- l_v / θ  if l_v > 0, else  θ l_v,        for each token v that the text already has
        Keskar et al. 2019 (CTRL), section 4.1, https://arxiv.org/abs/1909.05858
    (2) l <- l / τ                                       temperature
        Ackley et al. 1985, eq. (5), https://doi.org/10.1207/s15516709cog0901_7
    (3) only the k greatest l                            top-k
        Fan et al. 2018, section 5.4, https://arxiv.org/abs/1805.04833
    (4) only the fewest of the likeliest tokens whose probabilities sum to P or more       top-p
        Holtzman et al. 2020, eqs. (2) and (3), https://arxiv.org/abs/1904.09751
    (5) log p_v = l_v − log Σ exp l,  the sum over what (3) and (4) leave;  −∞ for all else

in this order. CTRL divides every l by θ, which would make a seen token with l < 0 *more* likely; (1) is
the form that is used since. With τ -> 0 all of p goes to the greatest l.

Whoever scores a text under the distribution that it was drawn from has to use this very function: the
log-probabilities of the bare softmax are those of another policy.

Shape letters: *B leading axes, V vocabulary. Nats.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.equations.precision import widen

Number = Float[Array, ""] | float


def sampling_log_probs(
    logits: Float[Array, "*B V"],
    temperature: Number = 1.0,
    *,
    top_k: int | None = None,
    top_p: Number | None = None,
    repetition_penalty: Number = 1.0,
    seen: Bool[Array, "*B V"] | None = None,
) -> Float[Array, "*B V"]:
    """Eqs. (1) to (5): the log-probability of each token, −∞ for those that cannot be drawn.

    A pure function of each row alone: of one position or of all positions of many texts at once, in
    float32 whatever the logits are in. Its exponentials sum to 1 over V. Of tokens with equal logits the
    first count as the likelier.

    Args:
      logits: l of each token.
      temperature: τ. 1 is the model as it is; 0 gives the likeliest token probability 1 (greedy).
      top_k: k; None, or V and more: all tokens.
      top_p: P in (0, 1], of the distribution that (3) leaves; at least one token stays. None: all.
      repetition_penalty: θ, 1 or more; 1 does nothing.
      seen: which tokens the text has, for (1); None: none.
    """
    logits = widen(logits)
    if seen is not None:
        penalised = jnp.where(logits > 0, logits / repetition_penalty, logits * repetition_penalty)
        logits = jnp.where(seen, penalised, logits)
    greatest = jnp.argmax(logits, axis=-1, keepdims=True)
    places = jnp.arange(logits.shape[-1]).reshape((1,) * (logits.ndim - 1) + (-1,))
    # Shifted before it is divided: a small τ then underflows to p = 0 and never overflows.
    shifted = logits - jnp.max(logits, axis=-1, keepdims=True)
    # Below the least normal number τ is 0 to processors that know no smaller ones.
    cold = jnp.asarray(temperature) < jnp.finfo(jnp.float32).tiny
    scaled = shifted / jnp.where(cold, 1.0, temperature)
    kept = (places == greatest) | ~cold
    if top_k is not None and top_k < logits.shape[-1]:
        kept &= _rank(scaled) < top_k
    if top_p is not None:
        # In float32 a sum may be 1 before its last terms: a share of 1 is all tokens.
        kept &= _nucleus(jnp.where(kept, scaled, -jnp.inf), top_p) | (jnp.asarray(top_p) >= 1)
    return _log_softmax(scaled, kept)


def _rank(logits: Float[Array, "*B V"]) -> Array:
    """0 for each row's greatest, 1 for the next, ...; equal ones by their place."""
    return jnp.argsort(jnp.argsort(-logits, axis=-1, stable=True), axis=-1)


def _nucleus(logits: Float[Array, "*B V"], share: Number) -> Bool[Array, "*B V"]:
    """Eq. (4): the tokens before which, from the likeliest on, less than the share has been reached."""
    order = jnp.argsort(-logits, axis=-1, stable=True)
    probs = jnp.take_along_axis(jax.nn.softmax(logits, axis=-1), order, axis=-1)
    before = jnp.cumsum(probs, axis=-1) - probs
    inside = (before < share) & (probs > 0)
    return jnp.take_along_axis(inside, jnp.argsort(order, axis=-1), axis=-1)


def _log_softmax(logits: Float[Array, "*B V"], kept: Bool[Array, "*B V"]) -> Float[Array, "*B V"]:
    """Eq. (5)."""
    # The lowest finite number inside, so that no gradient meets ∞ − ∞.
    finite = jnp.where(kept, logits, jnp.finfo(logits.dtype).min)
    return jnp.where(kept, jax.nn.log_softmax(finite, axis=-1), -jnp.inf)
