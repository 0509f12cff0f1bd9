"""The process, targets and losses of diffusion against Bayes' rule, quadrature and hand-made sums."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import diffusion, diffusion_gaussian, diffusion_losses, diffusion_schedules
from jaxgen.equations.diffusion_schedules import SCHEDULES, Level

MEAN, VARIANCE = np.array([0.7, -1.2, 0.1]), np.array([0.25, 2.0, 0.9])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def one(value):
    return jnp.asarray([value], jnp.float64)


@pytest.fixture
def draws():
    rng = np.random.default_rng(3)
    return tuple(jnp.asarray(rng.standard_normal((5, 3))) for _ in range(3))


# ------------------------------------------------------------------------------------- schedules


def test_each_paper_s_letters_lead_to_the_level_that_its_own_process_has():
    """Mean and variance of z given x = 1, by each paper's own recursion or line."""
    betas = np.linspace(0.01, 0.3, 7)
    mean, variance = 1.0, 0.0
    for beta in betas:  # DDPM: z <- sqrt(1 - beta) z + sqrt(beta) noise
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
    level = diffusion_schedules.of_betas(jnp.asarray(betas))
    np.testing.assert_allclose([level.alpha[-1], level.sigma[-1]], [mean, variance**0.5])
    conventions = {
        "DDPM": (0.36, 0.6, 0.8),
        "DDIM": (0.64, 0.8, 0.6),
        "EDM": (3.5, 1.0, 3.5),
        "VDM": (math.log(9), math.sqrt(0.1), math.sqrt(0.9)),  # gamma = log(sigma^2/alpha^2)
        "flow matching": (0.3, 0.3, 0.7),
        "rectified flow": (0.3, 0.3, 0.7),
        "SiT": (0.3, 0.7, 0.3),
    }
    assert conventions.keys() == diffusion_schedules.CONVENTIONS.keys()
    for name, (variable, alpha, sigma) in conventions.items():
        found = diffusion_schedules.CONVENTIONS[name](one(variable))
        np.testing.assert_allclose(np.ravel(found), [alpha, sigma], rtol=1e-12, err_msg=name)
    # Lipman et al. keep a little noise on the data.
    assert diffusion_schedules.of_lipman(one(1.0), 0.1).sigma[0] == pytest.approx(0.1)


def test_the_linear_beta_is_the_limit_of_ddpm_s_thousand_steps():
    betas = np.linspace(1e-4, 0.02, 1000)
    alpha = np.sqrt(np.cumprod(1 - betas))
    found = diffusion_schedules.linear_beta(jnp.arange(1, 1001) / 1000)
    np.testing.assert_allclose(found.alpha, alpha, atol=3e-3)
    np.testing.assert_allclose(found.alpha**2 + found.sigma**2, 1, rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_data_and_its_time_is_found_again(name):
    schedule = SCHEDULES[name]
    start = schedule(one(0.0))
    assert start.alpha[0] == 1 and start.sigma[0] == 0
    t = jnp.linspace(0.05, 0.95, 7)
    level, rate = diffusion_schedules.rates(schedule, t)
    log_snr = diffusion_schedules.log_snr(*level)
    assert (np.diff(log_snr) < 0).all()
    np.testing.assert_allclose(diffusion_schedules.time_of(schedule, log_snr), t, rtol=1e-10)
    for found, part in zip(rate, (0, 1), strict=True):
        ahead, behind = (schedule(t + d)[part] for d in (1e-6, -1e-6))
        np.testing.assert_allclose(found, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_shift_multiplies_the_noise_in_the_schedule_s_own_scale(name):
    schedule, t = SCHEDULES[name], jnp.linspace(0.1, 0.9, 5)
    plain, moved = schedule(t), diffusion_schedules.shifted(schedule, 3.0)(t)
    np.testing.assert_allclose(moved.sigma / moved.alpha, 3 * plain.sigma / plain.alpha)
    if name == "flow":
        np.testing.assert_allclose(moved.sigma, 3 * t / (1 + 2 * t))
    power = 1 if name == "flow" else 2
    sizes = (level.alpha**power + level.sigma**power for level in (plain, moved))
    np.testing.assert_allclose(*sizes)


def test_times_of_a_sampler_end_on_the_data():
    flow = SCHEDULES["flow"]
    times = {
        how: np.asarray(diffusion_schedules.spaced(flow, 5, how, (-12.0, 9.0)))
        for how in ("uniform", "quadratic", "log-snr", "karras")
    }
    first = 1 / (1 + math.exp(-6))  # lambda = 2 log((1 - t)/t) = -12
    for each in times.values():
        assert len(each) == 6 and each[-1] == 0 and (np.diff(each) < 0).all()
        assert each[0] == pytest.approx(first, rel=1e-9)
    np.testing.assert_allclose(times["uniform"], first * np.array([1, 0.8, 0.6, 0.4, 0.2, 0]))
    np.testing.assert_allclose(times["quadratic"], first * np.array([25, 16, 9, 4, 1, 0]) / 25)
    sigma = times["karras"][:-1] / (1 - times["karras"][:-1])
    largest, least = math.exp(6), math.exp(-4.5)
    roots = np.linspace(largest ** (1 / 7), least ** (1 / 7), 5)
    np.testing.assert_allclose(sigma, roots**7, rtol=1e-9)
    t = times["log-snr"][:-1]
    np.testing.assert_allclose(2 * np.log((1 - t) / t), np.linspace(-12, 9, 5), rtol=1e-9)
    assert len(diffusion_schedules.spaced(flow, 1, "karras")) == 2


# --------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("target", ["x", "noise", "v", "velocity", "score"])
def test_each_target_leads_back_to_x(name, target, draws):
    x, noise, _ = draws
    t = jnp.linspace(0.1, 0.9, 5)
    level, rate = diffusion_schedules.rates(SCHEDULES[name], t)
    z = diffusion.noised(x, noise, *level)
    alpha, sigma = (np.asarray(part)[:, None] for part in level)
    np.testing.assert_allclose(z, alpha * x + sigma * noise)
    prediction = diffusion.target_of(target, x, noise, level, rate)
    found = diffusion.x_of(target, prediction, z, level, rate)
    np.testing.assert_allclose(found, x, rtol=1e-9, atol=1e-9)
    literal = {
        "x": x,
        "noise": noise,
        "v": alpha * noise - sigma * x,
        "velocity": np.asarray(rate.alpha)[:, None] * x + np.asarray(rate.sigma)[:, None] * noise,
        "score": -(z - alpha * x) / sigma**2,  # the gradient of log N(z; alpha x, sigma^2)
    }
    np.testing.assert_allclose(prediction, literal[target], rtol=1e-9)
    if name == "flow" and target == "velocity":
        np.testing.assert_allclose(prediction, noise - x, rtol=1e-12)


def test_the_posterior_is_bayes_rule(draws):
    """z_t = a z_s + noise, z_s = alpha_s x + noise: conditioning of a joint Gaussian, in NumPy."""
    x, z, _ = draws
    alpha, sigma, next_alpha, next_sigma = 0.5, 0.9, 0.8, 0.55
    ratio = alpha / next_alpha
    covariance, variance = ratio * next_sigma**2, sigma**2
    mean = next_alpha * x + covariance / variance * (z - alpha * x)
    found = diffusion.posterior(
        x, z, *(jnp.full(5, v) for v in (alpha, sigma, next_alpha, next_sigma))
    )
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance, next_sigma**2 - covariance**2 / variance, rtol=1e-12)


def test_preconditioning_gives_unit_variances_and_the_least_output_scale():
    """Derived, not copied: for x of variance D^2 the moments are known."""
    D = 0.5
    alpha, sigma = jnp.asarray([1.0, 0.6, 0.1, 1.0]), jnp.asarray([0.01, 0.8, 0.99, 30.0])
    skip, out, into = diffusion.preconditioning(alpha, sigma, D)
    np.testing.assert_allclose(into**2 * (alpha**2 * D**2 + sigma**2), 1)

    def target_variance(skip):  # of x - skip z
        return (1 - skip * alpha) ** 2 * D**2 + skip**2 * sigma**2

    np.testing.assert_allclose(target_variance(skip) / out**2, 1)
    for moved in (skip + 1e-3, skip - 1e-3):
        assert (target_variance(moved) > out**2).all()
    skip, out, into = diffusion.preconditioning(jnp.asarray([0.6]), jnp.asarray([0.8]))
    np.testing.assert_allclose(np.ravel((skip, out, into)), [0.6, 0.8, 1.0])  # F = -v


def test_guidance_starts_at_the_unconditional_model_and_one_is_the_conditional(draws):
    c, u, _ = draws
    np.testing.assert_array_equal(diffusion.guided(c, u, 0.0), u)
    np.testing.assert_allclose(diffusion.guided(c, u, 1.0), c, rtol=1e-12)
    printed = 0.5  # the paper's w: (1 + w) eps_c - w eps_u
    np.testing.assert_allclose(
        diffusion.guided(c, u, 1 + printed), (1 + printed) * c - printed * u, rtol=1e-12
    )
    log_snr = jnp.asarray([-5.0, -1.0, 0.5, 2.0, 9.0])
    weights = diffusion.guidance_weight(log_snr, 3.0, (-1.0, 2.0))
    np.testing.assert_array_equal(weights, [1, 3, 3, 3, 1])
    found = diffusion.guided(c, u, weights)
    np.testing.assert_allclose(found[1], u[1] + 3 * (c[1] - u[1]))
    np.testing.assert_allclose(found[4], c[4])


def test_the_lattice_is_bayes_rule_for_independent_pixels():
    levels, prior = np.array([-1.0, -0.2, 0.5, 1.0]), np.array([0.4, 0.1, 0.3, 0.2])
    z, alpha, sigma = (
        np.array([[0.3, -0.8], [1.5, 0.0]]),
        np.array([0.8, 0.3]),
        np.array([0.6, 0.9]),
    )
    likelihood = np.exp(
        -((z[..., None] - alpha[:, None, None] * levels) ** 2) / (2 * sigma[:, None, None] ** 2)
    )
    posterior = likelihood * prior / (likelihood @ prior)[..., None]
    logits = jnp.broadcast_to(jnp.log(prior) + 7.0, (2, 2, 4))
    arguments = (logits, *map(jnp.asarray, (z, levels, alpha, sigma)))
    np.testing.assert_allclose(diffusion.lattice_x(*arguments), posterior @ levels, rtol=1e-12)
    index = jnp.asarray([[0.0, 3.0], [2.0, 1.0]])
    nats = diffusion_losses.lattice_reconstruction_nats(
        logits, index, *map(jnp.asarray, (z, levels, alpha, sigma))
    )
    chosen = np.take_along_axis(posterior, np.asarray(index, int)[..., None], -1)[..., 0]
    np.testing.assert_allclose(nats, -np.log(chosen).sum(-1), rtol=1e-12)


# ---------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_loss_is_its_weight_times_the_error_in_x(name, draws):
    """The published loss, written out in its own target, over |x - x_hat|^2."""
    x, noise, estimate = draws
    t = jnp.linspace(0.15, 0.85, 5)
    level, rate = diffusion_schedules.rates(SCHEDULES[name], t)
    z = diffusion.noised(x, noise, *level)
    error = np.sum((x - estimate) ** 2, -1)
    np.testing.assert_allclose(diffusion_losses.squared_error(x, estimate), error)
    alpha, sigma = (np.asarray(part)[:, None] for part in level)
    guessed = (z - alpha * estimate) / sigma
    targets = {"simple": "noise", "v": "v", "velocity": "velocity", "score": "score", "x": "x"}
    for weighting, target in targets.items():
        if target == "v" and name in ("flow", "exploding"):
            continue  # v is x's inverse there only up to alpha^2 + sigma^2, tested below
        right, wrong = (
            diffusion.target_of(target, a, b, level, rate)
            for a, b in ((x, noise), (estimate, jnp.asarray(guessed)))
        )
        weight = diffusion_losses.weight_of(weighting, level, rate)
        np.testing.assert_allclose(
            np.sum((right - wrong) ** 2, -1), weight * error, rtol=1e-9, err_msg=weighting
        )


def test_weights_by_hand():
    """At alpha = 0.6, sigma = 0.8: snr 9/16; and where snr is 9 and 1/9."""
    level = Level(one(0.6), one(0.8))

    def weight(name, level=level, **more):
        return float(diffusion_losses.weight_of(name, level, Level(one(-1.0), one(1.0)), **more)[0])

    snr = 9 / 16
    assert weight("simple") == pytest.approx(snr)
    assert weight("v") == pytest.approx(snr + 1)
    assert weight("edm", data_deviation=0.5) == pytest.approx(snr + 4)
    assert weight("bound") == pytest.approx(snr / 2)
    assert weight("sigmoid") == pytest.approx(snr / 2 / (1 + snr))  # sigmoid(-log snr)
    assert weight("velocity", Level(one(0.7), one(0.3))) == pytest.approx(1 / 0.09)
    clean = Level(one(3 / math.sqrt(10)), one(1 / math.sqrt(10)))
    assert weight("min-snr", clean) == 5 and weight("min-snr") == pytest.approx(snr)
    # EDM's own: lambda(sigma) c_out^2 = 1 in terms of F, for D = 0.5
    D, sigma = 0.5, 1.7
    own = Level(one(1.0), one(sigma))
    out = sigma * D / math.hypot(sigma, D)
    assert weight("edm", own, data_deviation=D) * out**2 == pytest.approx(1)
    assert float(diffusion_losses.bits_per_dim(one(64 * math.log(2) * 2), 64)[0]) == 2


def gaussian_error(log_snr):
    """E |x - x_hat|^2 of the exact denoiser at each lambda, summed over the axes."""
    return (VARIANCE / (1 + np.exp(log_snr)[:, None] * VARIANCE)).sum(-1)


ENTROPY = 0.5 * np.sum(np.log(2 * np.pi * np.e * VARIANCE))
LOW, HIGH = -7.0, 9.0


def exact_bound():
    last = diffusion_schedules.variance_preserving(jnp.asarray(LOW))
    return float(
        diffusion_gaussian.gaussian_bound(
            jnp.asarray(MEAN), jnp.asarray(VARIANCE), *last, jnp.asarray(math.exp(HIGH))
        )
    )


def ends_of_the_bound():
    """Its first and last terms, means over x: in closed form, by no function of ours."""
    alpha2, sigma2 = 1 / (1 + math.exp(-LOW)), 1 / (1 + math.exp(LOW))
    prior = 0.5 * np.sum(alpha2 * (VARIANCE + MEAN**2) + sigma2 - 1 - math.log(sigma2))
    return prior + 1.5 * math.log(2 * math.pi * math.e / math.exp(HIGH))


def test_the_continuous_bound_is_known_to_one_part_in_a_million():
    """Gauss-Legendre quadrature of half snr times the error."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    log_snr = LOW + (HIGH - LOW) * (nodes + 1) / 2
    level = diffusion_schedules.variance_preserving(jnp.asarray(log_snr))
    rate = diffusion_losses.bound_rate(jnp.asarray(gaussian_error(log_snr)), *level)
    integral = (HIGH - LOW) / 2 * weights @ np.asarray(rate)
    assert ends_of_the_bound() + integral == pytest.approx(exact_bound(), abs=1e-6)
    assert exact_bound() > ENTROPY


def test_the_bound_of_many_steps_falls_to_the_continuous_one_and_never_below():
    found = []
    for steps in 4 ** np.arange(1, 6):
        log_snr = np.linspace(LOW, HIGH, steps + 1)
        level_snr = jnp.asarray(np.exp(log_snr))
        error = jnp.asarray(gaussian_error(log_snr))
        terms = diffusion_losses.step_nats(error[:-1], level_snr[1:], level_snr[:-1])
        found.append(ends_of_the_bound() + float(terms.sum()))
    assert (np.diff(found) < 0).all() and found[-1] > exact_bound() > ENTROPY
    above = np.array(found) - exact_bound()  # of first order in the length of a step
    assert above[-1] < 0.1 and above[-1] / above[-2] == pytest.approx(1 / 4, rel=0.05)


def test_the_bound_by_monte_carlo_is_within_three_standard_errors():
    """All three terms on draws of x, noise and lambda, by the functions that a run is judged by."""
    n = 200_000
    rng = np.random.default_rng(0)
    x = jnp.asarray(MEAN + np.sqrt(VARIANCE) * rng.standard_normal((n, 3)))
    noise, first_noise = (jnp.asarray(rng.standard_normal((n, 3))) for _ in range(2))
    level = diffusion_schedules.variance_preserving(jnp.asarray(rng.uniform(LOW, HIGH, n)))

    @jax.jit
    def terms():
        z = diffusion.noised(x, noise, *level)
        estimate = diffusion_gaussian.gaussian_denoiser(
            z, jnp.asarray(MEAN), jnp.asarray(VARIANCE), *level
        )
        error = diffusion_losses.squared_error(x, estimate)
        middle = (HIGH - LOW) * diffusion_losses.bound_rate(error, *level)
        last, first = (
            Level(*(jnp.broadcast_to(part, (n,)) for part in each))
            for each in map(
                diffusion_schedules.variance_preserving, (jnp.asarray(LOW), jnp.asarray(HIGH))
            )
        )
        z = diffusion.noised(x, first_noise, *first)
        decoded = diffusion_losses.gaussian_reconstruction_nats(x, z, *first)
        return diffusion_losses.prior_nats(x, *last) + decoded + middle

    nats = np.asarray(terms())
    assert abs(nats.mean() - exact_bound()) < 3 * nats.std() / math.sqrt(n)
