"""Where diffusion's answers are known: Gaussians, and mixtures of round ones.

Anderson & Moore 1979, the conditional mean; as used in Karras et al. 2022, appendix B.3,
https://arxiv.org/abs/2206.00364. For x ~ N(m, diag v), each axis by itself (the eigenbasis of any Σ):
    (1) E[x | z] = m + α v (z − α m)/(α² v + σ²)
    (2) z_s = α_s m + √((α_s² v + σ_s²)/(α_t² v + σ_t²)) (z_t − α_t m)      the ODE from t to s
    (3) the bound = H(x) + KL(q(z_1) ‖ N(0, I)) + ½ Σ log(1 + 1/(snr_max v))
    (4) z_s ~ N(α_s m, (a + b c)² v_t + V)   variances of a stochastic sampler's step, by recursion
    (5) guided by w between variances v_c and v_u the ODE ends at v_c^w v_u^(1−w),
        where p(x|c)^w p(x)^(1−w) has 1/(w/v_c + (1 − w)/v_u)
For x ~ Σ_k π_k N(m_k, D² I):
    (6) E[x | z] = Σ_k r_k (m_k + α D² (z − α m_k)/n),  r_k ∝ π_k exp(−|z − α m_k|²/(2n)),
        n = α² D² + σ²
    (7) log q(z) = log Σ_k π_k N(z; α m_k, n I),  whose gradient is the score

Bradley & Nakkiran 2024, "Classifier-free guidance is a predictor-corrector",
https://arxiv.org/abs/2408.09000, show (5) for DDIM. Letters as in `diffusion`; V components.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.diffusion import PerExample, PerFeature, over_features
from jaxgen.equations.precision import widen


def gaussian_denoiser(
    z: PerFeature,
    mean: Float[Array, " X"],
    variance: Float[Array, " X"],
    alpha: PerExample,
    sigma: PerExample,
) -> PerFeature:
    """Eq. (1): `m + α v (z − α m)/(α² v + σ²)`, the best estimate of x that there is."""
    mean, variance = (array.reshape((1,) * (z.ndim - 1) + (-1,)) for array in (mean, variance))
    alpha, sigma = over_features(alpha), over_features(sigma)
    gain = alpha * variance / (jnp.square(alpha) * variance + jnp.square(sigma))
    return mean + gain * (widen(z) - alpha * mean)


def gaussian_flow(
    z: PerFeature,
    mean: Float[Array, " X"],
    variance: Float[Array, " X"],
    alpha: PerExample,
    sigma: PerExample,
    next_alpha: PerExample,
    next_sigma: PerExample,
) -> PerFeature:
    """Eq. (2): where the probability-flow ODE takes z_t at the time s, exactly."""
    mean, variance = (array.reshape((1,) * (z.ndim - 1) + (-1,)) for array in (mean, variance))
    alpha, sigma, next_alpha, next_sigma = map(
        over_features, (alpha, sigma, next_alpha, next_sigma)
    )
    before = jnp.square(alpha) * variance + jnp.square(sigma)
    after = jnp.square(next_alpha) * variance + jnp.square(next_sigma)
    return next_alpha * mean + jnp.sqrt(after / before) * (widen(z) - alpha * mean)


def gaussian_bound(
    mean: Float[Array, " X"],
    variance: Float[Array, " X"],
    last_alpha: Float[Array, ""],
    last_sigma: Float[Array, ""],
    snr_max: Float[Array, ""],
) -> Float[Array, ""]:
    """Eq. (3): what the continuous bound is with the exact denoiser, in nats, a mean over x.

    The entropy, what z_1 is off the prior, and what the last noise hides.
    """
    entropy = 0.5 * jnp.sum(jnp.log(variance)) + mean.shape[0] * 0.5 * math.log(
        2 * math.pi * math.e
    )
    last = jnp.square(last_alpha) * variance + jnp.square(last_sigma)
    prior = 0.5 * jnp.sum(last + jnp.square(last_alpha * mean) - 1.0 - jnp.log(last))
    return entropy + prior + 0.5 * jnp.sum(jnp.log1p(1.0 / (snr_max * variance)))


def ddim_variance(
    variance: PerExample,
    z_variance: PerExample,
    alpha: PerExample,
    sigma: PerExample,
    next_alpha: PerExample,
    next_sigma: PerExample,
    eta: float,
) -> PerExample:
    """Eq. (4) for DDIM(η) with the denoiser of N(0, v): the variance of z_s from that of z_t."""
    gain = alpha * variance / (jnp.square(alpha) * variance + jnp.square(sigma))  # x̂ = gain z
    kept = jnp.square(alpha * next_sigma / (next_alpha * sigma))
    fresh = jnp.square(eta * next_sigma) * (1 - kept)
    old = jnp.sqrt(jnp.square(next_sigma) - fresh)
    factor = next_alpha * gain + old * (1 - alpha * gain) / sigma
    return jnp.square(factor) * z_variance + fresh


def guided_variance(
    conditional: PerExample, unconditional: PerExample, weight: PerExample
) -> PerExample:
    """Eq. (5): `v_c^w v_u^(1−w)`, where the guided ODE ends between two centred Gaussians.

    It is not the product of powers of the two densities, of which the guided score is that at t = 0
    alone: `product_variance`.
    """
    return conditional**weight * unconditional ** (1 - weight)


def product_variance(
    conditional: PerExample, unconditional: PerExample, weight: PerExample
) -> PerExample:
    """Eq. (5): `1/(w/v_c + (1 − w)/v_u)`, the variance of p(x|c)^w p(x)^(1−w)."""
    return 1.0 / (weight / conditional + (1 - weight) / unconditional)


def _component_log_densities(z, centres, log_weights, alpha, noised_variance):
    """log π_k N(z; α m_k, n I), (*B, V)."""
    lead = (1,) * (z.ndim - 1)
    clean = over_features(over_features(alpha)) * centres.reshape(*lead, *centres.shape)
    squared = jnp.sum(jnp.square(widen(z)[..., None, :] - clean), axis=-1)
    n = over_features(noised_variance)
    density = -0.5 * (squared / n + z.shape[-1] * jnp.log(2 * math.pi * n))
    return log_weights.reshape(*lead, -1) + density


def mixture_denoiser(
    z: PerFeature,
    centres: Float[Array, "V X"],
    log_weights: Float[Array, " V"],
    deviation: Float[Array, ""] | float,
    alpha: PerExample,
    sigma: PerExample,
) -> PerFeature:
    """Eq. (6): the mean over the components of each one's own answer, weighted by how likely it is."""
    alpha, sigma = widen(alpha), widen(sigma)
    n = jnp.square(alpha * deviation) + jnp.square(sigma)
    shares = jax.nn.softmax(_component_log_densities(z, centres, log_weights, alpha, n), axis=-1)
    lead = (1,) * (z.ndim - 1)
    centre = jnp.sum(shares[..., None] * centres.reshape(*lead, *centres.shape), axis=-2)
    gain = over_features(alpha * jnp.square(deviation) / n)
    return centre + gain * (widen(z) - over_features(alpha) * centre)


def mixture_log_density(
    z: PerFeature,
    centres: Float[Array, "V X"],
    log_weights: Float[Array, " V"],
    deviation: Float[Array, ""] | float,
    alpha: PerExample,
    sigma: PerExample,
) -> PerExample:
    """Eq. (7): log q(z) at a level in nats; of the data itself at α = 1, σ = 0."""
    n = jnp.square(widen(alpha) * deviation) + jnp.square(widen(sigma))
    return jax.nn.logsumexp(_component_log_densities(z, centres, log_weights, alpha, n), axis=-1)
