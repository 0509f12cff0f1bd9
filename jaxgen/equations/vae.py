"""Variational autoencoders: the densities, the divergence and the bound.

Kingma & Welling 2014, "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114
    (1) z = μ + σ ⊙ ε,  ε ~ N(0, I)                           eq. (10), after eq. (4)
    (2) log N(x; μ, diag σ²) = −½ Σ [log 2π + log σ² + (x − μ)²/σ²]        eqs. (9), (12)
    (3) log p(x|z) = Σ [x log p + (1 − x) log(1 − p)],  p = sigmoid(logit)  eq. (11)
    (4) KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ (μ² + σ² − 1 − log σ²)           appendix B
    (5) −ELBO = E_q[−log p(x|z)] + KL(q(z|x) ‖ p(z))          eq. (3), negated
Alemi et al. 2018, "Fixing a broken ELBO", https://arxiv.org/abs/1711.00464
    (6) distortion + β rate,  rate = KL(q(z|x) ‖ p(z))        section 2; β = 1 is (5)

q(z|x) is Eq. (2) with z in the place of x; so is a Gaussian decoder p(x|z). Networks give the
log of the variance, log σ², which any real number is. Sums run over the last axis; the rest, *B,
are examples. Everything is in nats. Shape letter: X the size of what the density is over (the
latent size Z for an encoder). A variance must itself be a float32: log_variance within ±85.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]
PerFeature = Float[Array, "*B X"]

_LOG_2_PI = math.log(2.0 * math.pi)


def reparameterise(mean: PerFeature, log_variance: PerFeature, noise: PerFeature) -> PerFeature:
    """Eq. (1): a draw from N(mean, diag σ²) as a function that can be differentiated.

    The randomness is all in `noise`, standard normal, so gradients reach mean and log_variance.
    """
    mean, log_variance, noise = widen(mean), widen(log_variance), widen(noise)
    return mean + jnp.exp(0.5 * log_variance) * noise


def gaussian_log_density(x: PerFeature, mean: PerFeature, log_variance: PerFeature) -> PerExample:
    """Eq. (2): log density of a Gaussian with diagonal covariance, summed over the last axis.

    The encoder's `log q(z|x)` and the Gaussian decoder's `log p(x|z)`, in nats per example.
    """
    x, mean, log_variance = widen(x), widen(mean), widen(log_variance)
    squared = jnp.square(x - mean) * jnp.exp(-log_variance)
    return -0.5 * jnp.sum(_LOG_2_PI + log_variance + squared, axis=-1)


def printed_gaussian_log_density(
    x: PerFeature, mean: PerFeature, standard_deviation: PerFeature
) -> PerExample:
    """Eq. (2) as 002, 4.2.1 and 4.2.2 print it, `N(x; μ, σ)`, read by the usual convention.

    The second slot of N is a variance; the printed σ is, by the text, a standard deviation
    (positive). Taking one for the other gives the density of another Gaussian unless σ = 1.
    """
    x, mean, variance = widen(x), widen(mean), widen(standard_deviation)
    return -0.5 * jnp.sum(_LOG_2_PI + jnp.log(variance) + jnp.square(x - mean) / variance, axis=-1)


def bernoulli_log_density(x: PerFeature, logits: PerFeature) -> PerExample:
    """Eq. (3): log probability of binary data, summed over the last axis, in nats per example.

    x is in [0, 1]; between the ends (grey pixels) it is minus the cross-entropy, not a density.
    """
    x, logits = widen(x), widen(logits)
    # log(1 − p) = −softplus(l) and log p = l + log(1 − p), so one softplus serves both terms.
    return jnp.sum(x * logits - jax.nn.softplus(logits), axis=-1)


def gaussian_kl(mean: PerFeature, log_variance: PerFeature) -> PerExample:
    """Eq. (4): `½ Σ (μ² + σ² − 1 − log σ²)` in nats; 0 where q is the prior, else positive."""
    mean, log_variance = widen(mean), widen(log_variance)
    # expm1 keeps σ² − 1 exact for σ near 1, where the four terms would cancel to rounding error.
    return 0.5 * jnp.sum(jnp.square(mean) + jnp.expm1(log_variance) - log_variance, axis=-1)


def negative_elbo(reconstruction_nats: PerExample, kl_nats: PerExample) -> PerExample:
    """Eq. (5): an upper bound of −log p(x), to be minimised.

    Args:
      reconstruction_nats: `−log p(x|z)` for z drawn from q(z|x) (or its mean over draws).
      kl_nats: `KL(q(z|x) ‖ p(z))`, from Eq. (4).
    """
    return widen(reconstruction_nats) + widen(kl_nats)


def printed_negative_elbo(reconstruction_nats: PerExample, kl_nats: PerExample) -> PerExample:
    """Eq. (5) as 002, 4.2.3 prints it: `−log p(x|z) − KL(q(z|x) ‖ p(z))`.

    Minimising it pays q for leaving the prior, without bound. The printed line also leaves out
    that z is drawn from q.
    """
    return widen(reconstruction_nats) - widen(kl_nats)


def rate_distortion(
    distortion: PerExample, rate: PerExample, beta: Float[Array, ""] | float = 1.0
) -> PerExample:
    """Eq. (6): `distortion + β rate`.

    Args:
      distortion: any cost of decoding x from z; with `−log p(x|z)` and β = 1 this is Eq. (5).
      rate: `KL(q(z|x) ‖ p(z))`, a divergence between densities over the latent z, in nats.
      beta: the price of a nat.
    """
    return widen(distortion) + beta * widen(rate)


def printed_rate_distortion(
    distortion: PerExample,
    q_mean: PerFeature,
    q_log_variance: PerFeature,
    p_mean: PerFeature,
    p_log_variance: PerFeature,
) -> PerExample:
    """Eq. (6) as 000, 4.1.2 prints it: `D(x, θ) + KL(q(x|x) ‖ p(x))`, both densities over x.

    Here q(x|x) and p(x) are diagonal Gaussians over the data, the simplest that can be evaluated.
    No latent appears: the least value makes q the data's own density, and no code is priced.
    """
    q_mean, q_log_variance = widen(q_mean), widen(q_log_variance)
    p_mean, p_log_variance = widen(p_mean), widen(p_log_variance)
    log_ratio = q_log_variance - p_log_variance
    squared = jnp.square(q_mean - p_mean) * jnp.exp(-p_log_variance)
    return widen(distortion) + 0.5 * jnp.sum(jnp.expm1(log_ratio) - log_ratio + squared, axis=-1)
