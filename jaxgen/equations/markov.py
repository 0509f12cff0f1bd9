"""Hidden Markov chains: how likely a sequence is when the states behind it are not seen.

    (1) α_1(k) = π_k b_1(k)
    (2) α_t(j) = b_t(j) Σ_i α_{t−1}(i) A_ij
    (3) p(x_1 .. x_t) = Σ_k α_t(k),     hence  p(x_t | x_<t) = Σ_k α_t(k) / Σ_k α_{t−1}(k)

with b_t(k) = p(x_t | state k). Rabiner 1989, "A tutorial on hidden Markov models", eqs. (19) to (21),
https://doi.org/10.1109/5.18626. No model can do better on average than p(x_t | x_<t): its mean −log is
the entropy rate of the chain, the floor of every language model's loss on it.

Shape letters: T time, K states. Nats.
"""

import jax
from jax import lax
from jaxtyping import Array, Float


def forward_log_probs(
    log_initial: Float[Array, " K"],
    log_transition: Float[Array, "K K"],
    log_likelihoods: Float[Array, "T K"],
) -> Float[Array, " T"]:
    """Eqs. (1) to (3), in logarithms: log p(x_t | x_<t) of each step; their sum is log p(x).

    Args:
      log_initial: log π. log_transition: log A, from row to column.
      log_likelihoods: log b_t(k). Independent channels add theirs; a symbol that is missing has 0.
    """

    def step(predicted, likelihood):
        joint = predicted + likelihood  # log p(state, x_t | x_<t)
        total = jax.nn.logsumexp(joint)
        after = jax.nn.logsumexp((joint - total)[:, None] + log_transition, axis=0)
        return after, total

    return lax.scan(step, log_initial, log_likelihoods)[1]
