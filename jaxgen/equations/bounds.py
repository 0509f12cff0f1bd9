"""Bounds of log p(x) from draws of a latent: by one draw, by K of them, and by several layers.

    (1) log w = log p(x|z) + log p(z) − log q(z|x),  z ~ q(z|x)              log weight
    (2) ELBO = E[log w],  KL = E[log q(z|x) − log p(z)]                      sampled KL
    (3) L_K = E[log (1/K) Σ_k w_k];  ELBO = L_1 ≤ L_2 ≤ ... ≤ log p(x)       importance-weighted
    (4) ∂L_K/∂φ = E[Σ_k v_k² (∂ log w_k/∂z_k) (∂z_k/∂φ)],  v_k = w_k / Σ_j w_j        DReG
    (5) Σ_j max(λ, KL_j)                                                     free bits
    (6) β_t = min(1, t / T)                                                  warm-up of the KL
    (7) −ELBO = E_q[−log p(x|z₁) + log q(z₁|x) − log p(z₁|z₂)] + E KL(q(z₂|z₁) ‖ p(z₂))   two layers

Eqs. (1), (2): Kingma & Welling 2014, eq. (6), https://arxiv.org/abs/1312.6114. Eqs. (3), (7): Burda et
al. 2016, "Importance weighted autoencoders", eqs. (8), (2) and theorem 1,
https://arxiv.org/abs/1509.00519; L_K of a large K, 5,000 there, is what they call the test
log-likelihood: still a lower bound, and K belongs to the number. Eq. (4): Tucker et al. 2019, "Doubly
reparameterized gradient estimators", https://arxiv.org/abs/1810.04152. Eq. (5): Kingma et al.
2016, appendix C.8, https://arxiv.org/abs/1606.04934. Eq. (6): Sønderby et al. 2016, "Ladder variational
autoencoders", section 2.3, https://arxiv.org/abs/1602.02282.

Where the divergence is known in closed form, Eq. (4) of `vae` has less variance than Eq. (2) here. All
losses are in nats and to be minimised. Shape letters: *B examples, K draws of each, Z latents.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]
PerDraw = Float[Array, "*B K"]


def log_weight(
    log_likelihood: PerExample, log_prior: PerExample, log_posterior: PerExample
) -> PerExample:
    """Eq. (1): `log p(x|z) + log p(z) − log q(z|x)`, all at the same z, which is drawn from q.

    Of several layers the log prior is the sum of log p(z_l | z_{l+1}), and so is the posterior's.
    """
    return widen(log_likelihood) + widen(log_prior) - widen(log_posterior)


def sampled_kl(log_posterior: PerExample, log_prior: PerExample) -> PerExample:
    """Eq. (2): one draw's estimate `log q(z|x) − log p(z)` of KL(q ‖ p), z from q; may be negative."""
    return widen(log_posterior) - widen(log_prior)


def importance_weighted_nats(log_weights: PerDraw) -> PerExample:
    """Eq. (3): −L_K, `−log mean_k exp(log w_k)`, an upper bound of −log p(x); −ELBO for K = 1."""
    log_weights = widen(log_weights)
    return math.log(log_weights.shape[-1]) - jax.nn.logsumexp(log_weights, axis=-1)


def printed_importance_weighted_nats(log_weights: PerDraw) -> PerExample:
    """Eq. (3) as a library in wide use had it: `Σ_k softmax(l)_k l_k` of the losses l_k = −log w_k.

    The weights grow with the loss, so that the worst draws count most: never below the mean of l_k,
    −ELBO, which the true bound is never above.
    """
    losses = -widen(log_weights)
    return jnp.sum(jax.nn.softmax(losses, axis=-1) * losses, axis=-1)


def self_weighted_nats(log_weights: PerDraw) -> PerExample:
    """Eq. (3) as the same library mended it: `−Σ_k v_k log w_k`, v = softmax(log w).

    Below −L_K by log K minus the entropy of v, so that it bounds nothing: equal weights give the right
    value, and one that outweighs the others gives its −log w, as if log K were not to be paid. With v
    held constant its gradient by θ is that of −L_K.
    """
    log_weights = widen(log_weights)
    return -jnp.sum(jax.nn.softmax(log_weights, axis=-1) * log_weights, axis=-1)


def dreg_weights(log_weights: PerDraw) -> PerDraw:
    """Eq. (4): v_k², what the path of draw k through z counts for in the encoder's gradient."""
    return jnp.square(jax.nn.softmax(widen(log_weights), axis=-1))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def doubly_reparameterised_nats(
    log_weight_of: Callable, parameters: Any, latent: Float[Array, "*B K Z"]
) -> tuple[PerExample, Any]:
    """(−L_K of Eq. (3), aux), where the gradient by `latent` is that of Eq. (4).

    Args:
      log_weight_of: (parameters, latent) -> (log w (*B, K), aux). In it q's own mean and variance have
        to be constants (`jax.lax.stop_gradient`): φ is reached through the latent alone. aux: anything
        to look at, which has no gradient.
      parameters: θ and whatever else log w is differentiated by; their gradient is that of −L_K.
      latent: z = z(φ, ε), reparameterised draws, with gradients.
    """
    log_weights, aux = log_weight_of(parameters, latent)
    return importance_weighted_nats(log_weights), aux


def _dreg_forward(log_weight_of, parameters, latent):
    log_weights, pull_back, aux = jax.vjp(log_weight_of, parameters, latent, has_aux=True)
    return (importance_weighted_nats(log_weights), aux), (log_weights, pull_back)


def _dreg_backward(_, kept, gradients):
    log_weights, pull_back = kept
    share = jax.nn.softmax(log_weights, axis=-1)
    # One pull-back for both: its part by z has v_k once, and Eq. (4) has it twice.
    by_parameters, by_latent = pull_back(-gradients[0][..., None] * share)
    return by_parameters, share[..., None] * by_latent


doubly_reparameterised_nats.defvjp(_dreg_forward, _dreg_backward)


def free_bits(kl: Float[Array, "*B Z"], minimum: Float[Array, ""] | float) -> PerExample:
    """Eq. (5): the sum of divergences, none of which counts for less than λ nats; no bound any more.

    Args:
      kl: of each latent; in the paper its mean over a batch, so that a latent may be free for one image
        and dear for another. minimum: λ, 0 or more.
    """
    return jnp.sum(jnp.maximum(widen(kl), minimum), axis=-1)


def kl_warmup(step: Float[Array, "*B"], warmup_steps: int) -> Float[Array, "*B"]:
    """Eq. (6): β of a step that is the step-th, counted from 0; 1 from T on, and always for T = 0."""
    if not warmup_steps:
        return jnp.ones_like(widen(step))
    return jnp.minimum(widen(step) / warmup_steps, 1.0)


def hierarchical_negative_elbo(
    reconstruction_nats: PerExample, lower_kl: PerExample, upper_kl: PerExample
) -> PerExample:
    """Eq. (7): −ELBO of two stochastic layers at one draw of z₁ and z₂.

    Args:
      reconstruction_nats: −log p(x|z₁). upper_kl: KL(q(z₂|z₁) ‖ p(z₂)), which has a closed form.
      lower_kl: log q(z₁|x) − log p(z₁|z₂), of which there is none, since z₂ depends on z₁.
    """
    return widen(reconstruction_nats) + widen(lower_kl) + widen(upper_kl)


def batch_weighted_negative_elbo(
    reconstruction_nats: PerExample, kl_nats: PerExample, batch_size: int, num_examples: int
) -> PerExample:
    """Eq. (5) of `vae` as the same library weighs it: `−log p(x|z) + (B/N) KL`, B of N examples a batch.

    A batch's mean estimates the mean over the data with no such factor; where a sum over the data is
    wanted, N/B multiplies both terms. As it stands it is Eq. (6) of `vae` with β = B/N, and the size of
    a batch decides what is learnt.
    """
    return widen(reconstruction_nats) + (batch_size / num_examples) * widen(kl_nats)
