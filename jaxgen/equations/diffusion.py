"""Diffusion: the process, what a network may predict, and what follows from its prediction.

One convention throughout, z_t = α_t x + σ_t ε with t = 0 data; `diffusion_schedules` has α and σ of
t, and a table from every paper's letters to these.

Ho et al. 2020, "Denoising diffusion probabilistic models", https://arxiv.org/abs/2006.11239
    (1) z = α x + σ ε                                                     eq. (4)
    (2) q(z_s | z_t, x) = N(a z_t + b x, v),  s < t                       eqs. (6), (7)
        a = (α_t/α_s) σ_s²/σ_t²,  b = α_s (1 − e^(λ_t − λ_s)),  v = σ_s² (1 − e^(λ_t − λ_s))
Salimans & Ho 2022, "Progressive distillation", https://arxiv.org/abs/2202.00512
    (3) ε = (z − α x)/σ,  v = α ε − σ x                                   section 4, appendix D
Lipman et al. 2023, "Flow matching for generative modeling", https://arxiv.org/abs/2210.02747
    (4) u = dz/dt = α' x + σ' ε,  at given x and ε; ε − x for the flow    eq. (23)
Song et al. 2021, "Score-based generative modeling through SDEs", https://arxiv.org/abs/2011.13456
    (5) ∇ log q(z) = −E[ε | z]/σ = (α E[x | z] − z)/σ²                    eq. (7)
Karras et al. 2022, "Elucidating the design space of diffusion models", https://arxiv.org/abs/2206.00364
    (6) x̂ = c_skip z + c_out F(c_in z),  with data of variance D² an axis    eq. (7), appendix B.6
        c_in = 1/√n,  c_skip = α D²/n,  c_out = σ D/√n,  n = α² D² + σ²
Ho & Salimans 2022, "Classifier-free diffusion guidance", https://arxiv.org/abs/2207.12598
    (7) x̂ = x̂_u + w (x̂_c − x̂_u)                                          eq. (6); their w is ours − 1
Austin et al. 2021, https://arxiv.org/abs/2107.03006; our own composition of Bayes' rule
    (8) x̂ = Σ_k x_k softmax_k(ℓ_k − (z − α x_k)²/(2σ²))                   a lattice of K levels a pixel

x, z and ε are (*B, X): an image is a row of its numbers. α and σ are (*B). Letters: X the numbers of an
example, V levels of a pixel.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.diffusion_schedules import Level
from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]
PerFeature = Float[Array, "*B X"]
Target = Literal["x", "noise", "v", "velocity", "score"]


class Posterior(NamedTuple):
    """A Gaussian over z_s with one variance for all axes."""

    mean: PerFeature
    variance: PerExample


class Preconditioning(NamedTuple):
    """The three factors of Eq. (6)."""

    skip: PerExample
    out: PerExample
    into: PerExample


def over_features(scale: PerExample) -> Float[Array, "*B 1"]:
    """A number for each example, as one that multiplies its features."""
    return widen(scale)[..., None]


def noised(x: PerFeature, noise: PerFeature, alpha: PerExample, sigma: PerExample) -> PerFeature:
    """Eq. (1): `z = α x + σ ε`."""
    return over_features(alpha) * widen(x) + over_features(sigma) * widen(noise)


def posterior(
    x: PerFeature,
    z: PerFeature,
    alpha: PerExample,
    sigma: PerExample,
    next_alpha: PerExample,
    next_sigma: PerExample,
) -> Posterior:
    """Eq. (2): what z_s is, s < t, where z_t and x are known; DDPM's step draws from it.

    `1 − e^(λ_t − λ_s)` is the share of z_t's noise that was added after s.
    """
    alpha, sigma, next_alpha, next_sigma = map(widen, (alpha, sigma, next_alpha, next_sigma))
    kept = jnp.square(alpha * next_sigma / (next_alpha * sigma))  # e^(λ_t − λ_s)
    of_z = (alpha / next_alpha) * jnp.square(next_sigma / sigma)
    mean = over_features(of_z) * widen(z) + over_features(next_alpha * (1 - kept)) * widen(x)
    return Posterior(mean, jnp.square(next_sigma) * (1 - kept))


def noise_of(x: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample) -> PerFeature:
    """Eq. (3): `ε = (z − α x)/σ`, for σ > 0."""
    return (widen(z) - over_features(alpha) * widen(x)) / over_features(sigma)


def v_of(x: PerFeature, noise: PerFeature, alpha: PerExample, sigma: PerExample) -> PerFeature:
    """Eq. (3): `v = α ε − σ x`, whose variance is 1 where x's and α² + σ² are."""
    return over_features(alpha) * widen(noise) - over_features(sigma) * widen(x)


def velocity_of(
    x: PerFeature, noise: PerFeature, alpha_rate: PerExample, sigma_rate: PerExample
) -> PerFeature:
    """Eq. (4): `u = α' x + σ' ε`, how z moves with t; its mean given z drives the flow."""
    return over_features(alpha_rate) * widen(x) + over_features(sigma_rate) * widen(noise)


def score_of(x: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample) -> PerFeature:
    """Eq. (5): `(α x̂ − z)/σ²`, the gradient of log q(z) where x̂ is E[x | z]."""
    return -noise_of(x, z, alpha, sigma) / over_features(sigma)


def x_of_noise(
    noise: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample
) -> PerFeature:
    """Eq. (3) for x: `x = (z − σ ε)/α`, for α > 0."""
    return (widen(z) - over_features(sigma) * widen(noise)) / over_features(alpha)


def x_of_v(v: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample) -> PerFeature:
    """Eq. (3) for x: `x = (α z − σ v)/(α² + σ²)`, defined at every noise."""
    size = over_features(jnp.square(widen(alpha)) + jnp.square(widen(sigma)))
    return (over_features(alpha) * widen(z) - over_features(sigma) * widen(v)) / size


def x_of_velocity(velocity: PerFeature, z: PerFeature, level: Level, rate: Level) -> PerFeature:
    """Eq. (4) for x: `x = (σ u − σ' z)/(σ α' − σ' α)`; z − t u for the flow."""
    wronskian = level.sigma * rate.alpha - rate.sigma * level.alpha
    moved = over_features(level.sigma) * widen(velocity) - over_features(rate.sigma) * widen(z)
    return moved / over_features(wronskian)


def x_of_score(
    score: PerFeature, z: PerFeature, alpha: PerExample, sigma: PerExample
) -> PerFeature:
    """Eq. (5) for x, Tweedie's formula: `x̂ = (z + σ² score)/α`, for α > 0."""
    return (widen(z) + over_features(jnp.square(sigma)) * widen(score)) / over_features(alpha)


def target_of(
    target: Target, x: PerFeature, noise: PerFeature, level: Level, rate: Level
) -> PerFeature:
    """What a network that predicts `target` is taught, Eqs. (3) to (5)."""
    match target:
        case "x":
            return widen(x)
        case "noise":
            return widen(noise)
        case "v":
            return v_of(x, noise, *level)
        case "velocity":
            return velocity_of(x, noise, *rate)
        case "score":
            return -widen(noise) / over_features(level.sigma)


def x_of(
    target: Target, prediction: PerFeature, z: PerFeature, level: Level, rate: Level
) -> PerFeature:
    """The x that a prediction means, Eqs. (3) to (5) solved: the inverse of `target_of`."""
    match target:
        case "x":
            return widen(prediction)
        case "noise":
            return x_of_noise(prediction, z, *level)
        case "v":
            return x_of_v(prediction, z, *level)
        case "velocity":
            return x_of_velocity(prediction, z, level, rate)
        case "score":
            return x_of_score(prediction, z, *level)


def preconditioning(
    alpha: PerExample, sigma: PerExample, data_deviation: float = 1.0
) -> Preconditioning:
    """Eq. (6): the factors that give F inputs and targets of variance 1 at every noise.

    c_skip is the least-squares estimate of x from z, which makes c_out the least it can be. With data
    of variance 1 and α² + σ² = 1, F is −v of Eq. (3).
    """
    alpha, sigma, D = widen(alpha), widen(sigma), data_deviation
    size = jnp.square(alpha * D) + jnp.square(sigma)
    root = jnp.sqrt(size)
    return Preconditioning(alpha * D**2 / size, sigma * D / root, 1.0 / root)


def guided(
    conditional: PerFeature, unconditional: PerFeature, weight: PerExample | float
) -> PerFeature:
    """Eq. (7): `x̂_u + w (x̂_c − x̂_u)`; w = 0 is the unconditional model, w = 1 the conditional one.

    The same w guides ε̂, v̂ and the score, which are linear in x̂ at given z.
    """
    weight = jnp.asarray(weight)
    weight = over_features(weight) if weight.ndim else weight
    return widen(unconditional) + weight * (widen(conditional) - widen(unconditional))


def guidance_weight(
    log_snr: PerExample, weight: float, interval: tuple[float, float]
) -> PerExample:
    """The w of Eq. (7) at each λ: `weight` within the interval, 1 outside (Kynkäänniemi et al. 2024)."""
    inside = (interval[0] <= log_snr) & (log_snr <= interval[1])
    return jnp.where(inside, weight, 1.0)


def lattice_logits(
    logits: Float[Array, "*B X V"],
    z: PerFeature,
    levels: Float[Array, " V"],
    alpha: PerExample,
    sigma: PerExample,
) -> Float[Array, "*B X V"]:
    """Eq. (8) before the softmax: log p(x = x_k | z) of each pixel, up to a constant.

    Bayes' rule with the logits as log prior. Where the pixels are independent and ℓ_k is the log of
    x_k's probability it is exact: all that a network has to learn is what other pixels say.
    """
    clean = over_features(over_features(alpha)) * levels.reshape((1,) * z.ndim + (-1,))
    squared = jnp.square(widen(z)[..., None] - clean)
    return widen(logits) - squared / (2 * over_features(over_features(jnp.square(sigma))))


def lattice_x(
    logits: Float[Array, "*B X V"],
    z: PerFeature,
    levels: Float[Array, " V"],
    alpha: PerExample,
    sigma: PerExample,
) -> PerFeature:
    """Eq. (8): the mean of x given z, pixel by pixel, for pixels of V levels."""
    weights = jax.nn.softmax(lattice_logits(logits, z, levels, alpha, sigma), axis=-1)
    return jnp.sum(weights * levels.reshape((1,) * z.ndim + (-1,)), axis=-1)


Denoise = Callable[[PerFeature, Level], PerFeature]
"""x̂ of z at a level, an estimate of E[x | z]."""
