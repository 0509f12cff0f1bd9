"""What diffusion minimises: every published loss as a weight on |x − x̂|², and the bounds.

A weight w(λ) belongs to a time (or λ) that is drawn; `time_weight` turns a weight that is meant for an
integral over λ into one for the draw at hand. With snr = e^λ:

    (1) x 1;  ε (simple) snr;  score α²/σ⁴;  v (α² + σ²)²/σ²;  velocity (α' − σ' α/σ)², 1/t² for the flow
Ho et al. 2020, https://arxiv.org/abs/2006.11239, eq. (14); Salimans & Ho 2022, section 4
    (2) bound ½ snr, over dλ       Kingma et al. 2021, https://arxiv.org/abs/2107.00630, eq. (18)
    (3) min-SNR min(snr, γ)        Hang et al. 2023, https://arxiv.org/abs/2303.09556, eq. (7)
    (4) EDM 1/D² + snr, α = 1      Karras et al. 2022, https://arxiv.org/abs/2206.00364, table 1
    (5) sigmoid ½ snr sigmoid(b − λ), over dλ    Kingma & Gao 2023, https://arxiv.org/abs/2303.00848
Kingma et al. 2021, the bounds on −log p(x), with snr at s < t
    (6) −log p(x) <= KL(q(z_1|x) ‖ N(0, I)) + E[−log p(x|z_0)]
            + Σ ½ (snr_s − snr_t) |x − x̂(z_t)|²                           eqs. (11), (14)
    (7) the same with ½ ∫ snr |x − x̂|² dλ in the place of the sum           eq. (18)
    (8) p(x|z_0) = N(x; z_0/α_0, σ_0²/α_0²), or each pixel's share of it among V levels    eq. (8)

Everything is in nats per example; letters as in `diffusion`.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.diffusion import lattice_logits
from jaxgen.equations.diffusion_schedules import Level, log_snr
from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]
PerFeature = Float[Array, "*B X"]
Weighting = Literal["x", "simple", "v", "velocity", "score", "min-snr", "edm", "bound", "sigmoid"]


def squared_error(x: PerFeature, estimate: PerFeature) -> PerExample:
    """Eq. (1), the error that all weights multiply: `|x − x̂|²`, summed over X."""
    return jnp.sum(jnp.square(widen(x) - widen(estimate)), axis=-1)


def snr(alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (1), the weight that makes an error in x one in ε: `α²/σ²`."""
    return jnp.square(alpha / sigma)


def v_weight(alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (1): |v − v̂|² is so many times |x − x̂|²; `snr + 1` where α² + σ² = 1."""
    return jnp.square((jnp.square(alpha) + jnp.square(sigma)) / sigma)


def velocity_weight(level: Level, rate: Level) -> PerExample:
    """Eq. (1): |u − û|² is so many times |x − x̂|²."""
    return jnp.square(rate.alpha - rate.sigma * level.alpha / level.sigma)


def score_weight(alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (1): the score's error is so many times |x − x̂|²."""
    return jnp.square(alpha / jnp.square(sigma))


def min_snr_weight(alpha: PerExample, sigma: PerExample, gamma: float = 5.0) -> PerExample:
    """Eq. (3): `min(snr, γ)`, ε's weight that grows no further where there is hardly noise."""
    return jnp.minimum(snr(alpha, sigma), gamma)


def edm_weight(alpha: PerExample, sigma: PerExample, data_deviation: float = 1.0) -> PerExample:
    """Eq. (4): `snr + 1/D²`, under which F of EDM's preconditioning has the weight 1 everywhere."""
    return snr(alpha, sigma) + data_deviation**-2


def bound_weight(alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (2): `½ snr`, of which the integral over λ is the bound's."""
    return 0.5 * snr(alpha, sigma)


def sigmoid_weight(alpha: PerExample, sigma: PerExample, bias: float = 0.0) -> PerExample:
    """Eq. (5): the bound's weight times `sigmoid(b − λ)`, which forgives what the eye cannot see."""
    return bound_weight(alpha, sigma) * jax.nn.sigmoid(bias - log_snr(alpha, sigma))


def weight_of(
    weighting: Weighting, level: Level, rate: Level, data_deviation: float = 1.0
) -> PerExample:
    """The weight of a loss by its name, Eqs. (1) to (5)."""
    match weighting:
        case "x":
            return jnp.ones_like(level.alpha)
        case "simple":
            return snr(*level)
        case "v":
            return v_weight(*level)
        case "velocity":
            return velocity_weight(level, rate)
        case "score":
            return score_weight(*level)
        case "min-snr":
            return min_snr_weight(*level)
        case "edm":
            return edm_weight(*level, data_deviation=data_deviation)
        case "bound":
            return bound_weight(*level)
        case "sigmoid":
            return sigmoid_weight(*level)


OVER_LOG_SNR: tuple[Weighting, ...] = ("bound", "sigmoid")
"""The weights that are meant for an integral over λ: divided by the density from which λ is drawn."""


def prior_nats(x: PerFeature, alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (6), first term: `KL(q(z_1|x) ‖ N(0, I))` at the last level, in nats."""
    X = x.shape[-1]
    variance = jnp.square(widen(sigma))
    mean = jnp.square(widen(alpha)) * jnp.sum(jnp.square(widen(x)), axis=-1)
    return 0.5 * (mean + X * (variance - 1.0 - jnp.log(variance)))


def gaussian_reconstruction_nats(
    x: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample
) -> PerExample:
    """Eq. (8): `−log N(x; z_0/α_0, σ_0²/α_0²)`, of real-valued data."""
    deviation = widen(sigma) / widen(alpha)
    error = squared_error(x, widen(z) / widen(alpha)[..., None]) / jnp.square(deviation)
    return 0.5 * error + x.shape[-1] * (jnp.log(deviation) + 0.5 * math.log(2 * math.pi))


def lattice_reconstruction_nats(
    logits: Float[Array, "*B X V"],
    index: PerFeature,
    z: PerFeature,
    levels: Float[Array, " V"],
    alpha: PerExample,
    sigma: PerExample,
) -> PerExample:
    """Eq. (8): −log p of the levels `index` that the pixels have, whole numbers, given z_0.

    Logits of 0 are VDM's decoder; a network that gives logits decodes with its own.
    """
    log_p = jax.nn.log_softmax(lattice_logits(logits, z, levels, alpha, sigma), axis=-1)
    chosen = jax.nn.one_hot(index.astype(jnp.int32), levels.shape[0], dtype=log_p.dtype)
    return -jnp.sum(log_p * chosen, axis=(-2, -1))


def step_nats(error: PerExample, previous_snr: PerExample, step_snr: PerExample) -> PerExample:
    """Eq. (6), a term of the sum: `½ (snr_s − snr_t) |x − x̂(z_t)|²`, s < t, in nats."""
    return 0.5 * (widen(previous_snr) - widen(step_snr)) * widen(error)


def bound_rate(error: PerExample, alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (7), what is integrated over λ: `½ snr |x − x̂|²`, nats for a unit of λ."""
    return bound_weight(widen(alpha), widen(sigma)) * widen(error)


def bits_per_dim(nats: PerExample, size: int) -> PerExample:
    """Nats of an example of `size` numbers, Eqs. (6) and (7), as bits for each number."""
    return nats / (size * math.log(2))
