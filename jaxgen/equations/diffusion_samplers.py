"""Samplers of diffusion, each a pure step from a time t to an earlier s; the last one lands on data.

`denoise(z, level)` is x̂, an estimate of E[x | z]; ε̂ = (z − α x̂)/σ. λ = log(α²/σ²).

    (1) ancestral      z_s ~ q(z_s | z_t, x̂)                             Ho et al. 2020, algorithm 2
    (2) DDIM(η)        z_s = α_s x̂ + √(σ_s² − τ²) ε̂ + τ ε,  τ² = η² σ_s² (1 − e^(λ_t − λ_s))
        Song et al. 2021, "Denoising diffusion implicit models", eq. (12),
        https://arxiv.org/abs/2010.02502
    (3) Euler          z_s = z_t + (s − t) (α' x̂ + σ' ε̂)                 Lipman et al. 2023, eq. (23)
    (4) Heun           EDM's algorithm 2, in x = z/α at the noise σ/α
        Karras et al. 2022, https://arxiv.org/abs/2206.00364
    (5) DPM-Solver++ 2M    z_s = (σ_s/σ_t) z_t + (α_s − α_t σ_s/σ_t) D,
        D = x̂_t + (x̂_t − x̂_before)/(2r),  r = h_before/h,  h = (λ_s − λ_t)/2
        Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 2

At s = 0, where σ_s = 0, each gives α_s x̂ and needs no limit; Euler's only on the flow's line. With
η = 1, (2) is (1).
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.diffusion import (
    Denoise,
    PerExample,
    PerFeature,
    noise_of,
    over_features,
    posterior,
    velocity_of,
)
from jaxgen.equations.diffusion_schedules import Level, Schedule, log_snr, rates

Sampler = Literal["ancestral", "ddim", "euler", "heun", "dpm-solver++"]


def ancestral_step(
    denoise: Denoise, z: PerFeature, now: Level, then: Level, noise: PerFeature
) -> PerFeature:
    """Eq. (1): a draw of z_s as if x̂ were x."""
    mean, variance = posterior(denoise(z, now), z, *now, *then)
    return mean + over_features(jnp.sqrt(variance)) * noise


def ddim_step(
    denoise: Denoise,
    z: PerFeature,
    now: Level,
    then: Level,
    noise: PerFeature,
    eta: float = 0.0,
) -> PerFeature:
    """Eq. (2) with a network's x̂."""
    return ddim_move(denoise(z, now), z, noise, *now, *then, eta)


def ddim_move(
    x: PerFeature,
    z: PerFeature,
    noise: PerFeature,
    alpha: PerExample,
    sigma: PerExample,
    next_alpha: PerExample,
    next_sigma: PerExample,
    eta: float = 0.0,
) -> PerFeature:
    """Eq. (2): part of the noise is kept, part drawn anew; η = 0 draws none, η = 1 is Eq. (1)."""
    kept = jnp.square(alpha * next_sigma / (next_alpha * sigma))  # e^(λ_t − λ_s)
    fresh = eta * next_sigma * jnp.sqrt(1 - kept)  # τ
    old = jnp.sqrt(jnp.square(next_sigma) - jnp.square(fresh))
    moved = over_features(old) * noise_of(x, z, alpha, sigma) + over_features(fresh) * noise
    return over_features(next_alpha) * x + moved


def euler_step(
    denoise: Denoise, z: PerFeature, schedule: Schedule, t: PerExample, s: PerExample
) -> PerFeature:
    """Eq. (3): along the flow's velocity at t; z_t + (s − t)(ε̂ − x̂) where z is on a line."""
    now, rate = rates(schedule, t)
    x = denoise(z, now)
    return z + over_features(s - t) * velocity_of(x, noise_of(x, z, *now), *rate)


def heun_step(
    denoise: Denoise,
    z: PerFeature,
    now: Level,
    then: Level,
    noise: PerFeature,
    churn: float = 0.0,
    noise_scale: float = 1.0,
) -> PerFeature:
    """Eq. (4): noise is raised by the factor 1 + churn, then Euler's step and its correction.

    churn is the algorithm's γ_i, noise_scale its S_noise. Two evaluations; one at s = 0.
    """
    x, sigma, next_sigma = (
        z / over_features(now.alpha),
        now.sigma / now.alpha,
        then.sigma / then.alpha,
    )
    raised = sigma * (1 + churn)
    added = noise_scale * jnp.sqrt(jnp.square(raised) - jnp.square(sigma))
    x = x + over_features(added) * noise

    def slope(x, sigma):
        estimate = denoise(x, Level(jnp.ones_like(sigma), sigma))
        return (x - estimate) / over_features(sigma)

    step = over_features(next_sigma - raised)
    first = slope(x, raised)
    euler = x + step * first
    # A scan runs the same program at every step: where s = 0 the second slope is not used, and its
    # noise is any number that does not divide by zero.
    last = next_sigma == 0
    second = slope(euler, jnp.where(last, raised, next_sigma))
    heun = x + step * (first + second) / 2
    return over_features(then.alpha) * jnp.where(last[..., None], euler, heun)


def dpm_solver_step(
    x: PerFeature,
    x_before: PerFeature,
    z: PerFeature,
    now: Level,
    then: Level,
    before: Level,
    first: Any,
) -> PerFeature:
    """Eq. (5): from x̂ at this time and at the one before; first order where there is none, and at s = 0.

    Args:
      x, x_before: x̂ at `now` and at `before`. first: whether this is the first step.
    """
    h = (log_snr(*then) - log_snr(*now)) / 2
    h_before = (log_snr(*now) - log_snr(*before)) / 2
    plain = first | (then.sigma == 0)
    share = jnp.where(plain, 0.0, h / (2 * jnp.where(first, 1.0, h_before)))
    D = x + over_features(share) * (x - x_before)
    ratio = then.sigma / now.sigma
    return over_features(ratio) * z + over_features(then.alpha - now.alpha * ratio) * D


def sample(
    denoise: Denoise,
    schedule: Schedule,
    times: Float[Array, " T"],
    keys: Any,
    size: int,
    sampler: Sampler = "heun",
    *,
    eta: float = 0.0,
    churn: float = 0.0,
    path: bool = False,
) -> Float[Array, "B X"] | Float[Array, "T B X"]:
    """Eqs. (1) to (5) over falling times in one scan, from noise to the level at the last time.

    With `path`, z at all times.

    Args:
      times: t_0 > t_1 > ... > t_N; at a time of 0 the noise is taken for exactly 0.
      keys: (B,), one for each sample, which depends on nothing else: not on its neighbours.
      size: X, the numbers of a sample. eta: of DDIM. churn: of Heun, the factor is 1 + churn.
    """

    def draw(index):
        own = jax.vmap(jax.random.fold_in, (0, None))(keys, index)
        return jax.vmap(lambda key: jax.random.normal(key, (size,)))(own)

    def at(t):
        alpha, sigma = schedule(jnp.broadcast_to(t, keys.shape))
        return Level(alpha, jnp.where(t == 0, 0.0, sigma))

    move = _mover(sampler, denoise, schedule, eta, churn)

    def step(carry, i):
        z, x_before = carry
        t, s = times[i], times[i + 1]
        before = at(times[jnp.maximum(i - 1, 0)])
        moved = move(z, x_before, (t, s), (at(t), at(s), before), draw(i + 1), i == 0)
        return moved, moved[0] if path else None

    first = at(times[0])
    # z_1's own scale: α_1 x is left out, as in every paper, so that α_1 has to be near 0.
    z = over_features(first.sigma) * draw(0)
    first_z = z
    (z, _), way = jax.lax.scan(step, (z, jnp.zeros_like(z)), jnp.arange(times.shape[0] - 1))
    return z if way is None else jnp.concatenate([first_z[None], way])


def _mover(
    sampler: Sampler, denoise: Denoise, schedule: Schedule, eta: float, churn: float
) -> Callable[..., tuple[Array, Array]]:
    """(z, x̂ before, (t, s), levels at t, s and before, noise, is first) -> (z at s, x̂ at t)."""

    def move(z, x_before, times, levels, noise, first):
        now, then, before = levels
        match sampler:
            case "ancestral":
                return ancestral_step(denoise, z, now, then, noise), x_before
            case "ddim":
                return ddim_step(denoise, z, now, then, noise, eta), x_before
            case "euler":
                t, s = (jnp.broadcast_to(time, now.alpha.shape) for time in times)
                return euler_step(denoise, z, schedule, t, s), x_before
            case "heun":
                return heun_step(denoise, z, now, then, noise, churn), x_before
            case "dpm-solver++":
                x = denoise(z, now)
                return dpm_solver_step(x, x_before, z, now, then, before, first), x

    return move


def evaluations(sampler: Sampler, num_steps: int) -> int:
    """How often a sample calls the network: N, and 2N − 1 for Heun's, Eqs. (1) to (5)."""
    return 2 * num_steps - 1 if sampler == "heun" else num_steps
