"""How noise grows with time, in one convention; and where the papers' own letters lie in it.

    (1) z_t = α_t x + σ_t ε,  ε ~ N(0, I);  t = 0 is data, t = 1 (nearly) noise
    (2) λ = log(α²/σ²), which falls with t; snr = e^λ; the noise level of a paper with α = 1 is σ/α

Kingma et al. 2021, "Variational diffusion models", https://arxiv.org/abs/2107.00630, eqs. (1), (3).
    (3) linear β    α² = exp(−(β₀ t + ½ (β₁ − β₀) t²)),  σ² = 1 − α²    Song et al. 2021, eq. (33)
    (4) cosine      α = cos(π t/2),  σ = sin(π t/2)              Nichol & Dhariwal 2021, with s = 0
    (5) exploding   α = 1,  σ = σ₁ t                             Karras et al. 2022, table 1
    (6) flow        α = 1 − t,  σ = t                            Liu et al. 2023, eq. (1), t reversed
    (7) shifted     λ − 2 log s for λ, in the schedule's own scale    Hoogeboom et al. 2023, eq. (6)
    (8) spaced      times t_0 > t_1 > ... > t_N = 0 of a sampler of N steps

What papers call t, β, ᾱ, σ, x₀ and x₁ (`CONVENTIONS` computes each):

    | paper                        | variable      | α           | σ              | data   | noise  |
    | ---------------------------- | ------------- | ----------- | -------------- | ------ | ------ |
    | DDPM, Ho et al. 2020         | ᾱ = ∏(1 − β)  | √ᾱ          | √(1 − ᾱ)       | x₀     | x_T    |
    | DDIM, Song et al. 2021       | α (their ᾱ)   | √α          | √(1 − α)       | x₀     | x_T    |
    | NCSN, EDM, Karras 2022       | σ             | 1           | σ              | y, x₀  | x_N    |
    | VDM, Kingma et al. 2021      | γ = −λ        | √sig(−γ)    | √sig(γ)        | x      | z₁     |
    | Lipman et al. 2023           | t, 1 is data  | t           | 1 − (1 − s) t  | x₁     | x₀     |
    | rectified flow, Liu 2023     | t, 1 is data  | t           | 1 − t          | x₁     | x₀     |
    | SiT, MeanFlow, SD3           | t, 0 is data  | 1 − t       | t              | x₀     | x₁     |
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PerExample = Float[Array, "*B"]
Schedule = Callable[[Array], "Level"]
"""t in [0, 1] to the level of noise, at each of any number of times."""
Spacing = Literal["uniform", "quadratic", "log-snr", "karras"]


class Level(NamedTuple):
    """α and σ of Eq. (1); or their derivatives by t."""

    alpha: PerExample
    sigma: PerExample


def log_snr(alpha: PerExample, sigma: PerExample) -> PerExample:
    """Eq. (2): `λ = log(α²/σ²)`; infinite at t = 0, where σ = 0."""
    return 2.0 * (jnp.log(alpha) - jnp.log(sigma))


def variance_preserving(log_snr: PerExample) -> Level:
    """The level with that λ and α² + σ² = 1, Eq. (2) solved: `α² = sigmoid(λ)`."""
    return Level(jnp.sqrt(jax.nn.sigmoid(log_snr)), jnp.sqrt(jax.nn.sigmoid(-log_snr)))


def linear_beta(t: PerExample, first: float = 0.1, last: float = 20.0) -> Level:
    """Eq. (3): DDPM's rising β in continuous time; `first` and `last` are 1,000 of its β."""
    exponent = first * t + 0.5 * (last - first) * jnp.square(t)
    return Level(jnp.exp(-0.5 * exponent), jnp.sqrt(-jnp.expm1(-exponent)))


def cosine(t: PerExample) -> Level:
    """Eq. (4): a quarter of a circle."""
    return Level(jnp.cos(0.5 * math.pi * t), jnp.sin(0.5 * math.pi * t))


def exploding(t: PerExample, largest: float = 80.0) -> Level:
    """Eq. (5): the data as it is, noise growing on a line to σ₁ = `largest`, as EDM has it."""
    return Level(jnp.ones_like(t), largest * t)


def flow(t: PerExample) -> Level:
    """Eq. (6): a straight line from data to noise, as flow matching has it."""
    return Level(1.0 - t, t)


def shifted(schedule: Schedule, shift: float) -> Schedule:
    """Eq. (7): the schedule with noise σ/α multiplied by `shift` at every time.

    Larger pictures need more noise for the same loss of content; shift 1 changes nothing. α + σ stays
    1 on a line, α² + σ² elsewhere what it was; for the flow this is t' = s t/(1 + (s − 1) t).
    """
    power = 1.0 if schedule is flow else 2.0

    def level(t: PerExample) -> Level:
        alpha, sigma = schedule(t)
        size = alpha**power + sigma**power
        scale = (size / (alpha**power + (shift * sigma) ** power)) ** (1.0 / power)
        return Level(scale * alpha, scale * shift * sigma)

    return level


SCHEDULES: dict[str, Schedule] = {
    "linear-beta": linear_beta,
    "cosine": cosine,
    "exploding": exploding,
    "flow": flow,
}


def rates(schedule: Schedule, t: PerExample) -> tuple[Level, Level]:
    """The level at t and its derivative by t, Eqs. (3) to (7)."""
    return jax.jvp(schedule, (t,), (jnp.ones_like(t),))


def time_of(schedule: Schedule, log_snr_at: PerExample) -> PerExample:
    """The t in [0, 1] at which the schedule has this λ, Eq. (2) inverted by bisection.

    Bisection since it serves every schedule, and is exact to the last bit or two.
    """

    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        too_clean = log_snr(*schedule(middle)) > log_snr_at
        return jnp.where(too_clean, middle, low), jnp.where(too_clean, high, middle)

    low = jnp.zeros_like(log_snr_at)
    steps = 60 if low.dtype == jnp.float64 else 40
    low, high = jax.lax.fori_loop(0, steps, halve, (low, jnp.ones_like(low)))
    return 0.5 * (low + high)


def spaced(
    schedule: Schedule,
    num_steps: int,
    spacing: Spacing = "uniform",
    log_snr_range: tuple[float, float] = (-10.0, 10.0),
) -> Float[Array, " T"]:
    """Eq. (8): num_steps + 1 times, the first of the range's lowest λ and the last 0, which is data.

    'uniform' in t, 'quadratic' in t (denser near the data), 'log-snr' uniform in λ, 'karras' uniform in
    (σ/α)^(1/7) (Karras et al. 2022, eq. (5)). The last two cannot reach λ = ∞: all but the last time
    lie in the range, and the last step goes from its highest λ to the data.
    """
    low, high = (jnp.asarray(end, jnp.zeros(()).dtype) for end in log_snr_range)
    if spacing in ("uniform", "quadratic"):
        share = jnp.linspace(1.0, 0.0, num_steps + 1) ** (1 if spacing == "uniform" else 2)
        return share * time_of(schedule, low)
    share = jnp.linspace(0.0, 1.0, num_steps) if num_steps > 1 else jnp.zeros(1)
    if spacing == "log-snr":
        wanted = low + share * (high - low)
    else:
        root = jnp.exp(-low / 14.0) + share * (jnp.exp(-high / 14.0) - jnp.exp(-low / 14.0))
        wanted = -14.0 * jnp.log(root)
    return jnp.append(time_of(schedule, wanted), 0.0)


def of_alpha_bar(alpha_bar: PerExample) -> Level:
    """DDPM's ᾱ, a product of 1 − β, and DDIM's α."""
    return Level(jnp.sqrt(alpha_bar), jnp.sqrt(1.0 - alpha_bar))


def of_betas(betas: Float[Array, " T"]) -> Level:
    """DDPM's T variances β: the levels after 1, ..., T of its steps."""
    return of_alpha_bar(jnp.cumprod(1.0 - betas))


def of_sigma(sigma: PerExample) -> Level:
    """EDM's and NCSN's σ: nothing but noise is added."""
    return Level(jnp.ones_like(sigma), sigma)


def of_gamma(gamma: PerExample) -> Level:
    """VDM's γ, which is −λ."""
    return variance_preserving(-gamma)


def of_lipman(t: PerExample, least: float = 0.0) -> Level:
    """Lipman et al.'s t, at which 1 is data, with their σ_min = `least`; Liu et al.'s with 0."""
    return Level(t, 1.0 - (1.0 - least) * t)


CONVENTIONS: dict[str, Callable[..., Level]] = {
    "DDPM": of_alpha_bar,
    "DDIM": of_alpha_bar,
    "EDM": of_sigma,
    "VDM": of_gamma,
    "flow matching": of_lipman,
    "rectified flow": of_lipman,
    "SiT": flow,
}
"""Of each paper's own variable, the level that it means."""
