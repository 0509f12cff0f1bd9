"""Autoregressive language modelling: the cost of the next token.

    (1) −log p(y) = log Σ_v exp(l_v) − l_y
    (2) L = −(1/T) Σ_t log p(x_{t+1} | x_1 .. x_t)
    (3) L = −Σ_t w_t log p(x_{t+1} | x_1 .. x_t) / Σ_t w_t

Bengio et al. 2003, "A neural probabilistic language model", section 2,
https://www.jmlr.org/papers/v3/bengio03a.html; Radford et al. 2018, "Improving language
understanding by generative pre-training", eq. (1),
https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf.
003, 5.2 has it as code: sparse categorical cross-entropy from logits.

(3) is (2) over the tokens that count: w is 0 for padding and for a prompt that is only read, 1 for what
is to be learnt, or any weight between; with w = 1 it is (2) over the whole batch.

Shape letters: *B leading axes, T time, V vocabulary. Nats.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations.precision import widen


def cross_entropy(logits: Float[Array, "*B V"], targets: Int[Array, "*B"]) -> Float[Array, "*B"]:
    """Eq. (1): `−log p(target)` in nats for each token, in float32 whatever the logits are in.

    Values cannot be checked inside a compiled step, so a target outside the vocabulary, below 0 or
    V and more, makes the loss NaN, and its gradient by that token's logits too: neither can be taken
    for a number. A token that is not to count (padding, a prompt) has any target within 0 .. V − 1, and
    weight 0 in the caller's sum; a target of −1 with weight 0 is still NaN.
    """
    logits = widen(logits)
    # Shifted by the row's greatest logit before anything is summed, so that nothing overflows and
    # nothing is lost to rounding when logits are large; the shift cancels, hence no gradient.
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    selected = jnp.take_along_axis(shifted, jnp.expand_dims(targets, -1), axis=-1)
    nats = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - jnp.squeeze(selected, -1)
    # A factor, for its NaN reaches the gradient; where a target is within, 1 changes no bit.
    within = (targets >= 0) & (targets < logits.shape[-1])
    return nats * jnp.where(within, 1.0, jnp.nan)


def sequence_cross_entropy(
    logits: Float[Array, "*B T V"], targets: Int[Array, "*B T"]
) -> Float[Array, "*B"]:
    """Eq. (2): the mean of Eq. (1) over a sequence's T tokens, in nats per token.

    `logits[t]` come from tokens 1 .. t, and `targets[t]` is token t + 1: the shift is the caller's.
    """
    return jnp.mean(cross_entropy(logits, targets), axis=-1)


def chunked_cross_entropy(
    features: Float[Array, "B D"],
    kernel: Float[Array, "D V"],
    targets: Int[Array, " B"],
    chunk: int,
) -> Float[Array, " B"]:
    """Eq. (1) of the logits `features @ kernel`, of which no more than `chunk` rows stand at once.

    The same as `cross_entropy` to rounding, for large vocabularies: forward and backward need chunk·V
    numbers in the place of B·V, for which the backward pass computes the logits a second time.

    Args:
      chunk: rows at once; need not divide B, but what is missing in the last one is computed too.
    """
    rows, pieces = len(targets), -(-len(targets) // chunk)
    padding = pieces * chunk - rows
    features = jnp.pad(features, ((0, padding), (0, 0))).reshape(pieces, chunk, -1)
    targets = jnp.pad(targets, (0, padding)).reshape(pieces, chunk)

    @jax.checkpoint
    def piece(features, targets):
        logits = jnp.einsum("bd,dv->bv", features, kernel, preferred_element_type=jnp.float32)
        return cross_entropy(logits, targets)

    def add(_, each):
        return None, piece(*each)

    return jax.lax.scan(add, None, (features, targets))[1].reshape(-1)[:rows]


def weighted_cross_entropy(
    logits: Float[Array, "*B V"], targets: Int[Array, "*B"], weights: Float[Array, "*B"]
) -> Float[Array, ""]:
    """Eq. (3): the weighted mean of Eq. (1) over all tokens, in nats per token that counts.

    A batch in which nothing counts has loss 0, so that a piece of a batch may be all padding.
    """
    return weighted_mean(cross_entropy(logits, targets), weights)


def weighted_mean(nats: Float[Array, "*B"], weights: Float[Array, "*B"]) -> Float[Array, ""]:
    """Eq. (3) of the tokens' nats: `Σ w nats / Σ w`; 0 where all weights are 0."""
    total = jnp.sum(weights)
    return jnp.sum(weights * nats) / jnp.where(total > 0, total, 1.0)
