"""Autoregressive language modelling: the cost of the next token.

    (1) −log p(y) = log Σ_v exp(l_v) − l_y
    (2) L = −(1/T) Σ_t log p(x_{t+1} | x_1 .. x_t)

Bengio et al. 2003, "A neural probabilistic language model", section 2,
https://www.jmlr.org/papers/v3/bengio03a.html; Radford et al. 2018, "Improving language
understanding by generative pre-training", eq. (1),
https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf.
003, 5.2 has it as code: sparse categorical cross-entropy from logits.

Shape letters: *B leading axes, T time, V vocabulary. Nats.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations.precision import widen


def cross_entropy(logits: Float[Array, "*B V"], targets: Int[Array, "*B"]) -> Float[Array, "*B"]:
    """Eq. (1): `−log p(target)` in nats for each token, in float32 whatever the logits are in.

    Values cannot be checked inside a compiled step, so a target of V or more makes the loss NaN,
    which is hard to overlook; a negative one counts from the end, as in Python.
    """
    logits = widen(logits)
    # Shifted by the row's greatest logit before anything is summed, so that nothing overflows and
    # nothing is lost to rounding when logits are large; the shift cancels, hence no gradient.
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    selected = jnp.take_along_axis(shifted, jnp.expand_dims(targets, -1), axis=-1)
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - jnp.squeeze(selected, -1)


def sequence_cross_entropy(
    logits: Float[Array, "*B T V"], targets: Int[Array, "*B T"]
) -> Float[Array, "*B"]:
    """Eq. (2): the mean of Eq. (1) over a sequence's T tokens, in nats per token.

    `logits[t]` come from tokens 1 .. t, and `targets[t]` is token t + 1: the shift is the caller's.
    """
    return jnp.mean(cross_entropy(logits, targets), axis=-1)
