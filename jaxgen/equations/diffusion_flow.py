"""Diffusion in continuous time: the two processes backwards, the likelihood, and flows in one step.

Song et al. 2021, "Score-based generative modeling through SDEs", https://arxiv.org/abs/2011.13456
    (1) f = α'/α,  g² = (σ²)' − 2 f σ²,  so that dz = f z dt + g dw has the marginals of z = α x + σ ε
    (2) dz = (f z − g² score) dt + g dw,  dt < 0                         eq. (6), the reverse SDE
    (3) dz/dt = f z − ½ g² score = α' x̂ + σ' ε̂ = u(z, t)                 eq. (13), the probability flow
    (4) log p(z_0) = log p(z_1) + ∫ div u dt, t from 0 to 1               eq. (39)
    (5) div u = E[εᵀ (∂u/∂z) ε],  E[ε εᵀ] = I                            eq. (40), Hutchinson's estimate
Geng et al. 2025, "Mean flows for one-step generative modeling", https://arxiv.org/abs/2505.13447
    (6) z_r = z_t − (t − r) U(z_t, r, t),  U the mean of u between r and t    eqs. (3), (12)
    (7) U = u − (t − r) dU/dt,  dU/dt = u ∂U/∂z + ∂U/∂t                   eqs. (6), (8)
    (8) loss |U − stop(target)|² / stop(|U − target|² + c)^p              eqs. (9), (22)

Letters as in `diffusion`; times are (*B).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.diffusion import (
    Denoise,
    PerExample,
    PerFeature,
    noise_of,
    over_features,
    velocity_of,
)
from jaxgen.equations.diffusion_schedules import Level, Schedule, rates
from jaxgen.equations.precision import widen

Velocity = Callable[[PerFeature, PerExample], PerFeature]
"""u of z at t, each example's by its own row alone."""
MeanVelocity = Callable[[PerFeature, PerExample, PerExample], PerFeature]
"""U of z, r and t."""


class Coefficients(NamedTuple):
    """Of the forward SDE, Eq. (1)."""

    drift: PerExample
    diffusion_squared: PerExample


def coefficients(level: Level, rate: Level) -> Coefficients:
    """Eq. (1): `f = α'/α` and `g² = 2 σ σ' − 2 f σ²`."""
    drift = rate.alpha / level.alpha
    return Coefficients(drift, 2 * level.sigma * (rate.sigma - drift * level.sigma))


def reverse_sde_step(
    z: PerFeature,
    score: PerFeature,
    noise: PerFeature,
    drift: PerExample,
    diffusion_squared: PerExample,
    dt: PerExample,
) -> PerFeature:
    """Eq. (2) over a short time by Euler and Maruyama: `dt` is how far back t goes, positive."""
    slope = over_features(drift) * widen(z) - over_features(diffusion_squared) * widen(score)
    spread = jnp.sqrt(widen(diffusion_squared) * widen(dt))
    return widen(z) - over_features(dt) * slope + over_features(spread) * widen(noise)


def probability_flow(denoise: Denoise, schedule: Schedule) -> Velocity:
    """Eq. (3): the velocity `α' x̂ + σ' ε̂` of the ODE that has the same marginals, for t > 0."""

    def velocity(z: PerFeature, t: PerExample) -> PerFeature:
        level, rate = rates(schedule, t)
        x = denoise(z, level)
        return velocity_of(x, noise_of(x, z, *level), *rate)

    return velocity


def divergence(velocity: Velocity, z: PerFeature, t: PerExample) -> PerExample:
    """Eq. (4), its integrand exactly: the trace of ∂u/∂z, by one forward derivative for each axis."""
    size = z.shape[-1]

    def along(axis):
        direction = jnp.broadcast_to(jax.nn.one_hot(axis, size, dtype=z.dtype), z.shape)
        _, change = jax.jvp(lambda z: velocity(z, t), (z,), (direction,))
        return change[..., axis]

    return jnp.sum(jax.lax.map(along, jnp.arange(size)), axis=0)


def hutchinson_divergence(
    velocity: Velocity, z: PerFeature, t: PerExample, probe: PerFeature
) -> PerExample:
    """Eq. (5): one probe's estimate of the divergence, unbiased where the probe's covariance is I."""
    _, change = jax.jvp(lambda z: velocity(z, t), (z,), (probe,))
    return jnp.sum(probe * change, axis=-1)


def log_likelihood(
    velocity: Velocity,
    x: PerFeature,
    times: Float[Array, " T"],
    final_deviation: float | PerExample = 1.0,
    probe: PerFeature | None = None,
) -> PerExample:
    """Eq. (4) in nats: Heun's rule over rising times from data to noise, in one scan.

    The last z is held against N(0, final_deviation² I). The first time is the least noise at which the
    velocity is known; what is reported is the density there.

    Args:
      times: rising. probe: (*B, X) for Eq. (5); None takes the exact divergence, X times as dear.
    """
    shape = x.shape[:-1]

    def slopes(z, t):
        t = jnp.broadcast_to(t, shape)
        if probe is None:
            return velocity(z, t), divergence(velocity, z, t)
        return velocity(z, t), hutchinson_divergence(velocity, z, t, probe)

    def step(carry, ends):
        z, total = carry
        t, s = ends
        first, first_trace = slopes(z, t)
        second, second_trace = slopes(z + (s - t) * first, s)
        z = z + (s - t) * (first + second) / 2
        return (z, total + (s - t) * (first_trace + second_trace) / 2), None

    start = (widen(x), jnp.zeros(shape, widen(x).dtype))
    (z, total), _ = jax.lax.scan(step, start, (times[:-1], times[1:]))
    deviation = jnp.broadcast_to(jnp.asarray(final_deviation, z.dtype), shape)
    scaled = jnp.sum(jnp.square(z), axis=-1) / jnp.square(deviation)
    log_prior = -0.5 * scaled - z.shape[-1] * (jnp.log(deviation) + 0.5 * math.log(2 * math.pi))
    return log_prior + total


def mean_flow_target(
    mean_velocity: MeanVelocity, z: PerFeature, velocity: PerFeature, r: PerExample, t: PerExample
) -> tuple[PerFeature, PerFeature]:
    """Eq. (7): (U, what U should be), by one forward derivative along (u, 0, 1).

    velocity: u at z and t, or α' x + σ' ε, whose mean it is.
    """
    directions = (velocity, jnp.zeros_like(r), jnp.ones_like(t))
    value, change = jax.jvp(mean_velocity, (z, r, t), directions)
    return value, velocity - over_features(t - r) * change


def mean_flow_loss(
    value: PerFeature, target: PerFeature, power: float = 1.0, offset: float = 1e-3
) -> PerExample:
    """Eq. (8): the squared error divided by its own size, held fixed; power 0 leaves it whole."""
    error = jnp.sum(jnp.square(value - jax.lax.stop_gradient(target)), axis=-1)
    return error / jax.lax.stop_gradient(error + offset) ** power


def mean_flow_step(
    z: PerFeature, mean_velocity: PerFeature, r: PerExample, t: PerExample
) -> PerFeature:
    """Eq. (6): from t to r < t by U's one value at z, r and t."""
    return widen(z) - over_features(t - r) * widen(mean_velocity)
