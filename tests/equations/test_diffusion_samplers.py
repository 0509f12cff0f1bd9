"""Samplers, flows and exact answers: a Gaussian and a mixture say what each should give."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import (
    diffusion,
    diffusion_flow,
    diffusion_gaussian,
    diffusion_samplers,
    diffusion_schedules,
)
from jaxgen.equations.diffusion_schedules import SCHEDULES, Level

MEAN, VARIANCE = np.array([0.5, -1.0]), np.array([0.25, 2.0])
COSINE = SCHEDULES["cosine"]
ANGLES = np.arange(8) * np.pi / 4
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def denoise(z, level):
    return diffusion_gaussian.gaussian_denoiser(z, jnp.asarray(MEAN), jnp.asarray(VARIANCE), *level)


def centred(variance):
    """The denoiser of N(0, variance)."""

    def denoise(z, level):
        return (
            level.alpha[:, None]
            * variance
            / (level.alpha**2 * variance + level.sigma**2)[:, None]
            * z
        )

    return denoise


def levels(*times, count=1):
    return [COSINE(jnp.full(count, t, jnp.float64)) for t in times]


def first_noise(keys, size):
    """What `sample` starts from, before it is scaled: the draw 0 of each key."""
    own = jax.vmap(jax.random.fold_in, (0, None))(keys, 0)
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(own)


@pytest.mark.parametrize(
    ("sampler", "order", "tolerance"),
    [("ddim", 1, 0.1), ("euler", 1, 0.1), ("heun", 2, 0.15), ("dpm-solver++", 2, 0.15)],
)
def test_a_solver_s_order_is_the_slope_of_its_error(sampler, order, tolerance):
    keys = jax.random.split(jax.random.key(1), 5)
    errors, counts = [], [32, 64, 128, 256]
    for steps in counts:
        spaced = diffusion_schedules.spaced(COSINE, steps + 1, "log-snr", (-6.0, 6.0))
        times = spaced[:-1]  # to the last noisy time, so that the smooth part alone is measured
        first, last = (COSINE(jnp.broadcast_to(times[i], (5,))) for i in (0, -1))
        z = first.sigma[:, None] * first_noise(keys, 2)
        exact = diffusion_gaussian.gaussian_flow(
            z, jnp.asarray(MEAN), jnp.asarray(VARIANCE), *first, *last
        )
        found = diffusion_samplers.sample(denoise, COSINE, times, keys, 2, sampler)
        errors.append(float(jnp.sqrt(jnp.mean((found - exact) ** 2))))
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slope - order) <= tolerance, (slope, errors)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_a_stochastic_step_s_variance_is_the_recursion_s(eta):
    """Coefficients read off the step; variances by DDPM's own formula for eta = 1, in NumPy."""
    v, times = 0.25, np.linspace(0.98, 0.0, 11)
    own_denoise = centred(v)
    step = jax.jit(functools.partial(diffusion_samplers.ddim_step, own_denoise, eta=eta))
    zero, unit = jnp.zeros((1, 1)), jnp.ones((1, 1))
    variance = by_formula = own = float(np.sin(np.pi * times[0] / 2) ** 2)
    for t, s in itertools.pairwise(times):
        now, then = levels(t, s)
        of_z = float(step(unit, now, then, zero)[0, 0])
        of_noise = float(step(zero, now, then, unit)[0, 0])
        variance = of_z**2 * variance + of_noise**2
        arguments = (*now, *then)
        own = float(
            diffusion_gaussian.ddim_variance(jnp.asarray([v]), jnp.asarray([own]), *arguments, eta)[
                0
            ]
        )
        if eta == 1.0:  # Ho et al. 2020, eqs. (6), (7), in beta
            (a, sd), (a_next, sd_next) = ((float(p[0]) for p in level) for level in (now, then))
            beta = 1 - (a / a_next) ** 2
            of_x = a_next * beta / sd**2
            of_z = (a / a_next) * sd_next**2 / sd**2
            gain = a * v / (a**2 * v + sd**2)
            added = sd_next**2 / sd**2 * beta
            by_formula = (of_x * gain + of_z) ** 2 * by_formula + added
            ancestral = diffusion_samplers.ancestral_step(own_denoise, unit, now, then, zero)
            assert float(ancestral[0, 0]) == pytest.approx(of_x * gain + of_z, rel=1e-9)
    assert own == pytest.approx(variance, rel=1e-6)
    if eta == 1.0:
        assert by_formula == pytest.approx(variance, rel=1e-6)
    n = 100_000
    keys = jax.random.split(jax.random.key(0), n)
    run = jax.jit(
        lambda keys: diffusion_samplers.sample(
            centred(v), COSINE, jnp.asarray(times), keys, 1, "ddim", eta=eta
        )
    )
    found = np.asarray(run(keys))
    # The variance of n normal draws has the standard error v sqrt(2/n).
    assert abs(found.var() - variance) < 3 * variance * math.sqrt(2 / n)
    if eta == 1.0:
        run = jax.jit(
            lambda keys: diffusion_samplers.sample(
                centred(v), COSINE, jnp.asarray(times), keys, 1, "ancestral"
            )
        )
        np.testing.assert_allclose(run(keys[:50]), found[:50], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sampler", ["ancestral", "ddim", "euler", "heun", "dpm-solver++"])
def test_a_point_comes_out_as_it_is_and_a_sample_depends_on_its_own_key_alone(sampler):
    """x_hat is always the point: whatever the sampler, the last step lands on it."""
    point = jnp.asarray([[0.3, -2.0]])
    keys = jax.random.split(jax.random.key(3), 6)
    # Euler's step is exact for a point on the flow's line alone.
    schedule = SCHEDULES["flow"] if sampler == "euler" else COSINE
    times = diffusion_schedules.spaced(schedule, 4, "karras", (-8.0, 8.0))

    def to_point(z, level):
        return jnp.broadcast_to(point, z.shape)

    def draw(denoise, keys):
        return diffusion_samplers.sample(
            denoise, schedule, times, keys, 2, sampler, eta=0.5, churn=0.1
        )

    def mixed(z, level):  # of the ring: no row is like another
        return diffusion_gaussian.mixture_denoiser(z, jnp.asarray(RING), jnp.zeros(8), 0.1, *level)

    np.testing.assert_allclose(draw(to_point, keys), jnp.broadcast_to(point, (6, 2)), atol=1e-9)
    whole = draw(mixed, keys)
    parts = jnp.concatenate([draw(mixed, keys[4:]), draw(mixed, keys[:4])])
    np.testing.assert_allclose(jnp.roll(whole, 2, 0), parts, rtol=1e-9)
    assert np.unique(np.round(whole, 6), axis=0).shape[0] == 6


def test_one_step_of_each_by_hand():
    """x_hat = 2 throughout, z = 1.4; alpha 0.6, sigma 0.8 to 0.8, 0.6: eps_hat = 0.25."""
    now, then = (Level(jnp.asarray([a]), jnp.asarray([s])) for a, s in ((0.6, 0.8), (0.8, 0.6)))
    z, noise = jnp.asarray([[1.4]]), jnp.asarray([[0.5]])

    def to_two(z, level):
        return jnp.full_like(z, 2.0)

    found = diffusion_samplers.ddim_step(to_two, z, now, then, noise)
    assert float(found[0, 0]) == pytest.approx(0.8 * 2 + 0.6 * 0.25)
    share = 1 - (9 / 16) / (16 / 9)  # 1 - snr_t/snr_s
    tau = 0.5 * 0.6 * math.sqrt(share)
    found = diffusion_samplers.ddim_step(to_two, z, now, then, noise, 0.5)
    expected = 1.6 + math.sqrt(0.36 - tau**2) * 0.25 + tau * 0.5
    assert float(found[0, 0]) == pytest.approx(expected)
    # Heun in x = z/alpha: a constant estimate makes the slope (x - 2)/sigma, exact along a line.
    found = diffusion_samplers.heun_step(to_two, z, now, then, noise)
    assert float(found[0, 0]) == pytest.approx(0.8 * 2 + 0.6 * 0.25)
    churned = diffusion_samplers.heun_step(to_two, z, now, then, noise, 0.2, 1.1)
    sigma = 0.8 / 0.6
    x = 1.4 / 0.6 + 1.1 * sigma * math.sqrt(0.44) * 0.5
    assert float(churned[0, 0]) == pytest.approx(0.8 * (2 + (x - 2) * 0.75 / (1.2 * sigma)))
    assert diffusion_samplers.evaluations("heun", 20) == 39
    assert diffusion_samplers.evaluations("dpm-solver++", 20) == 20


def test_guidance_ends_at_the_product_of_powers_of_the_variances_not_of_the_densities():
    """v_c = 1/4, v_u = 1, w = 3: 0.0156, where p(x|c)^3 p(x)^-2 has 0.1."""

    def guided(z, level):
        return diffusion.guided(centred(0.25)(z, level), centred(1.0)(z, level), 3.0)

    times = diffusion_schedules.spaced(COSINE, 257, "log-snr", (-16.0, 16.0))
    keys = jax.random.split(jax.random.key(0), 3)
    found = diffusion_samplers.sample(guided, COSINE, times, keys, 1, "heun")
    ratio = np.asarray(found / first_noise(keys, 1))
    w, c, u = (jnp.asarray([value]) for value in (3.0, 0.25, 1.0))
    ours = float(diffusion_gaussian.guided_variance(c, u, w)[0])
    product = float(diffusion_gaussian.product_variance(c, u, w)[0])
    assert (ours, product) == pytest.approx((1 / 64, 0.1))
    np.testing.assert_allclose(ratio**2, 1 / 64, rtol=6e-3)  # 513 evaluations of second order


# ------------------------------------------------------------------------------------- mixtures


def test_the_mixture_s_denoiser_and_score_are_those_of_its_density():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2)))
    alpha, sigma, deviation = 0.7, 0.4, 0.1
    centres, weights = jnp.asarray(RING), jnp.asarray(np.log(np.arange(1, 9) / 36))
    level = [jnp.full(5, value) for value in (alpha, sigma)]
    x = diffusion_gaussian.mixture_denoiser(z, centres, weights, deviation, *level)

    def density(z):
        return diffusion_gaussian.mixture_log_density(z, centres, weights, deviation, *level).sum()

    score = diffusion.score_of(x, z, *level)
    np.testing.assert_allclose(score, jax.grad(density)(z), rtol=1e-9)
    np.testing.assert_allclose(diffusion.x_of_score(score, z, *level), x, rtol=1e-9)
    n = alpha**2 * deviation**2 + sigma**2  # the density itself, a sum in NumPy
    squared = ((np.asarray(z)[:, None] - alpha * RING) ** 2).sum(-1)
    literal = np.log((np.arange(1, 9) / 36 * np.exp(-squared / 2 / n) / (2 * np.pi * n)).sum(-1))
    found = diffusion_gaussian.mixture_log_density(z, centres, weights, deviation, *level)
    np.testing.assert_allclose(found, literal, rtol=1e-9)


def ring_velocity(deviation):
    def denoise(z, level):
        return diffusion_gaussian.mixture_denoiser(
            z, jnp.asarray(RING), jnp.full(8, -math.log(8)), deviation, *level
        )

    return diffusion_flow.probability_flow(denoise, COSINE)


def test_the_ode_s_likelihood_is_the_mixture_s_log_density():
    deviation = 0.2
    x = jnp.asarray([[1.0, 0.1], [0.2, 0.3], [-0.6, 0.7], [1.3, -0.4]])
    first = diffusion_schedules.time_of(COSINE, jnp.asarray(9.0))
    times = jnp.linspace(jnp.sqrt(first), math.sqrt(0.999), 1500) ** 2
    run = jax.jit(lambda x: diffusion_flow.log_likelihood(ring_velocity(deviation), x, times, 1.0))
    level = COSINE(jnp.broadcast_to(times[0], (4,)))
    exact = diffusion_gaussian.mixture_log_density(
        x, jnp.asarray(RING), jnp.full(8, -math.log(8)), deviation, *level
    )
    np.testing.assert_allclose(run(x), exact, atol=1e-3)


@pytest.mark.first
def test_hutchinson_s_estimate_is_unbiased():
    """The mean over the four sign vectors of two axes is the exact divergence."""
    velocity, z = ring_velocity(0.3), jnp.asarray([[0.4, 0.1], [-0.7, 0.5]])
    t = jnp.asarray([0.3, 0.5])
    exact = diffusion_flow.divergence(velocity, z, t)
    signs = [
        jnp.broadcast_to(jnp.asarray([a, b], z.dtype), (2, 2)) for a in (1, -1) for b in (1, -1)
    ]
    found = [diffusion_flow.hutchinson_divergence(velocity, z, t, probe) for probe in signs]
    np.testing.assert_allclose(np.mean(found, 0), exact, rtol=1e-9)
    jacobian = jax.vmap(jax.jacobian(lambda z, t: velocity(z[None], t[None])[0]))(z, t)
    np.testing.assert_allclose(exact, np.trace(jacobian, axis1=1, axis2=2), rtol=1e-9)
    assert np.std(found, axis=0).min() > 1e-3


@pytest.mark.first
def test_the_reverse_sde_keeps_the_marginals():
    """One long run of many short steps from N(0, 1)'s own: variances stay alpha^2 v + sigma^2."""
    v, steps, n = 0.25, 400, 20_000
    times = jnp.linspace(0.98, 0.1, steps + 1)

    @jax.jit
    def run(key):
        now = COSINE(times[0])
        z = jnp.sqrt(now.alpha**2 * v + now.sigma**2) * jax.random.normal(key, (n, 1))

        def step(z, i):
            t = jnp.broadcast_to(times[i], (n,))
            level, rate = diffusion_schedules.rates(COSINE, t)
            score = diffusion.score_of(centred(v)(z, level), z, *level)
            noise = jax.random.normal(jax.random.fold_in(key, i + 1), z.shape)
            dt = jnp.broadcast_to(times[i] - times[i + 1], (n,))
            of_sde = diffusion_flow.coefficients(level, rate)
            return diffusion_flow.reverse_sde_step(z, score, noise, *of_sde, dt), None

        return jax.lax.scan(step, z, jnp.arange(steps))[0]

    last = COSINE(times[-1])
    exact = float(last.alpha**2 * v + last.sigma**2)
    assert np.asarray(run(jax.random.key(0))).var() == pytest.approx(exact, rel=0.04)


# ------------------------------------------------------------------------------------ mean flows


def exact_mean_velocity(z, r, t):
    """(z_t - z_r)/(t - r) of a Gaussian on the straight line between data and noise."""
    now, then = SCHEDULES["flow"](t), SCHEDULES["flow"](r)
    moved = diffusion_gaussian.gaussian_flow(
        z, jnp.asarray(MEAN), jnp.asarray(VARIANCE), *now, *then
    )
    return (z - moved) / (t - r)[:, None]


def test_a_gaussian_s_mean_velocity_satisfies_the_identity_and_one_step_is_exact():
    z = jnp.asarray(np.random.default_rng(1).normal(size=(4, 2)))
    r, t = jnp.asarray([0.1, 0.0, 0.3, 0.5]), jnp.asarray([0.9, 1.0, 0.4, 0.7])
    velocity = diffusion_flow.probability_flow(denoise, SCHEDULES["flow"])(z, t)
    value, target = diffusion_flow.mean_flow_target(exact_mean_velocity, z, velocity, r, t)
    np.testing.assert_allclose(value, target, atol=1e-10)
    loss = diffusion_flow.mean_flow_loss(value, target + 0.5)
    np.testing.assert_allclose(loss, 0.5 / (0.5 + 1e-3), rtol=1e-6)
    once = exact_mean_velocity(z, jnp.zeros(4), jnp.ones(4))
    found = diffusion_flow.mean_flow_step(z, once, jnp.zeros(4), jnp.ones(4))
    np.testing.assert_allclose(found, MEAN + np.sqrt(VARIANCE) * np.asarray(z), rtol=1e-12)
