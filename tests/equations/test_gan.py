import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial import distance

from jaxgen.equations import gan

B = 11


@pytest.fixture
def logits(normal):
    return 3 * normal(B), 3 * normal(B)


@pytest.fixture(scope="module")
def densities():
    """Real and generated data over five values: what D should answer is then known exactly."""
    return np.array([0.4, 0.3, 0.2, 0.05, 0.05]), np.array([0.1, 0.1, 0.2, 0.3, 0.3])


def log_d(logits):
    return special.log_expit(np.asarray(logits, np.float64))


def best_discriminator(loss, densities):
    """D where E_real + E_fake of a loss is least, by bisection: it is convex in each logit."""
    p_data, p_model = (jnp.asarray(p, jnp.float32) for p in densities)
    far = jnp.full(5, -30.0)  # the other player's logits, which do not move

    def expected(logits):
        return jnp.sum(p_data * loss(logits, far) + p_model * loss(far, logits))

    gradient = jax.jit(jax.grad(expected))
    low, high = np.full(5, -10.0), np.full(5, 10.0)
    for _ in range(40):
        middle = (low + high) / 2
        rising = np.asarray(gradient(jnp.asarray(middle, jnp.float32))) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return special.expit(low)


def test_generator_is_the_function_of_the_noise(normal):
    noise, matrix = normal(B, 3), normal(3, 5)
    expected = np.asarray(noise, np.float64) @ np.asarray(matrix, np.float64) + 1
    found = gan.generator(lambda z: z @ matrix + 1.0, noise)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_discriminator_probability_is_the_sigmoid(logits):
    np.testing.assert_allclose(
        gan.discriminator_probability(logits[0]),
        special.expit(np.asarray(logits[0], np.float64)),
        rtol=2e-6,
    )


def test_printed_discriminator_is_no_probability():
    scores = jnp.asarray([-1.5, 0.5, 5.0])
    printed = np.asarray(gan.printed_discriminator_probability(scores))
    assert printed.tolist() == [-1.5, 0.5, 5.0]
    assert printed.min() < 0 and printed.max() > 1
    right = np.asarray(gan.discriminator_probability(scores))
    assert right.min() > 0 and right.max() < 1


def test_minimax_value_by_hand_and_by_scipy(logits):
    real, fake = logits
    np.testing.assert_allclose(gan.minimax_value(real, fake), log_d(real) + log_d(-fake), rtol=5e-6)
    even = gan.minimax_value(jnp.zeros(1), jnp.zeros(1))
    assert float(even[0]) == pytest.approx(-2 * np.log(2), rel=1e-6)


def test_the_best_value_is_twice_the_jensen_shannon_divergence_less_log_4(densities):
    p_data, p_model = densities
    best = jnp.asarray(np.log(p_data / p_model), jnp.float32)
    real = np.asarray(gan.minimax_value(best, jnp.full(5, -30.0)), np.float64)
    fake = np.asarray(gan.minimax_value(jnp.full(5, 30.0), best), np.float64)
    divergence = distance.jensenshannon(p_data, p_model) ** 2
    assert p_data @ real + p_model @ fake == pytest.approx(2 * divergence - np.log(4), rel=1e-5)


def test_minimax_discriminator_loss_is_minus_the_value(logits):
    real, fake = logits
    expected = -(log_d(real) + log_d(-fake))
    np.testing.assert_allclose(gan.minimax_discriminator_loss(real, fake), expected, rtol=5e-6)


def test_printed_minimax_loss_teaches_the_opposite(logits):
    """Descent on each loss from the same start, with real and generated data told apart by sign."""
    real, fake = logits
    np.testing.assert_allclose(
        gan.printed_minimax_discriminator_loss(real, fake), log_d(real) + log_d(-fake), rtol=5e-6
    )

    def descend(loss):
        slope = jnp.zeros(())
        gradient = jax.jit(jax.grad(lambda w: loss(w * jnp.ones(3), -w * jnp.ones(3)).mean()))
        for _ in range(50):
            slope = slope - 0.5 * gradient(slope)
        return special.expit(float(slope))  # D of real data; of generated data it is 1 − this

    assert descend(gan.minimax_discriminator_loss) > 0.95
    assert descend(gan.printed_minimax_discriminator_loss) < 0.05


def test_saturating_generator_loss_and_its_gradient(logits):
    fake = logits[1]
    np.testing.assert_allclose(gan.saturating_generator_loss(fake), log_d(-fake), rtol=5e-6)
    gradient = jax.grad(lambda x: gan.saturating_generator_loss(x).sum())(fake)
    np.testing.assert_allclose(gradient, -special.expit(np.asarray(fake, np.float64)), rtol=5e-6)


def test_non_saturating_generator_loss_and_its_gradient(logits):
    fake = logits[1]
    np.testing.assert_allclose(gan.non_saturating_generator_loss(fake), -log_d(fake), rtol=5e-6)
    gradient = jax.grad(lambda x: gan.non_saturating_generator_loss(x).sum())(fake)
    expected = special.expit(np.asarray(fake, np.float64)) - 1
    np.testing.assert_allclose(gradient, expected, rtol=5e-6)


def test_only_the_non_saturating_gradient_lasts_where_the_generator_is_worst():
    sure = jnp.asarray([-20.0])
    saturating = jax.grad(lambda x: gan.saturating_generator_loss(x)[0])(sure)
    lasting = jax.grad(lambda x: gan.non_saturating_generator_loss(x)[0])(sure)
    assert -1e-8 < float(saturating[0]) < 0
    assert float(lasting[0]) == pytest.approx(-1.0)


def test_printed_saturating_loss_ignores_the_data_and_does_not_average_the_noise(normal):
    fake = 3 * normal(512)
    small, large = normal(2, 3), 5 + normal(127, 3)
    printed = jax.jit(jax.vmap(gan.printed_saturating_generator_loss, in_axes=(None, 0)))
    np.testing.assert_allclose(printed(small, fake), log_d(-fake), rtol=1e-5)
    np.testing.assert_allclose(printed(large, fake), printed(small, fake), rtol=1e-5)
    gradient = jax.grad(gan.printed_saturating_generator_loss)(small, fake[0])
    assert np.all(np.asarray(gradient) == 0.0)
    # Means over 64 noises vary 64 times less; the printed form, however large its batch, as ever.
    right = np.asarray(gan.saturating_generator_loss(fake)).reshape(8, 64).mean(axis=1)
    single, batched = (float(jnp.var(printed(x, fake))) for x in (small, large))
    assert batched == pytest.approx(single, rel=1e-4)
    assert np.var(right) < batched / 15


def test_discriminator_loss_is_the_binary_cross_entropy(logits):
    real, fake = logits
    found = gan.discriminator_loss(real, fake)
    np.testing.assert_allclose(found, -log_d(real) - log_d(-fake), rtol=5e-6)
    np.testing.assert_allclose(found, gan.minimax_discriminator_loss(real, fake), rtol=1e-6)


def test_the_best_discriminator_is_the_share_of_real_data(densities):
    p_data, p_model = densities
    found = best_discriminator(gan.discriminator_loss, densities)
    np.testing.assert_allclose(found, p_data / (p_data + p_model), atol=1e-5)


def test_smoothed_discriminator_loss_is_the_cross_entropy_with_its_labels(logits):
    real, fake = logits
    for a, b in ((0.9, 0.1), (0.75, 0.0), (1.0, 0.0)):
        expected = -a * log_d(real) - (1 - a) * log_d(-real)
        expected = expected - b * log_d(fake) - (1 - b) * log_d(-fake)
        found = gan.smoothed_discriminator_loss(real, fake, real_label=a, fake_label=b)
        np.testing.assert_allclose(found, expected, rtol=5e-6)
    defaults = gan.smoothed_discriminator_loss(real, fake)
    np.testing.assert_array_equal(defaults, gan.smoothed_discriminator_loss(real, fake, 0.9, 0.1))


def test_one_sided_smoothing_keeps_the_model_out_of_the_numerator(logits, densities):
    p_data, p_model = densities
    total = p_data + p_model
    one_sided = best_discriminator(gan.one_sided_discriminator_loss, densities)
    np.testing.assert_allclose(one_sided, 0.9 * p_data / total, atol=1e-5)
    two_sided = best_discriminator(gan.smoothed_discriminator_loss, densities)
    np.testing.assert_allclose(two_sided, (0.9 * p_data + 0.1 * p_model) / total, atol=1e-5)
    real, fake = logits
    expected = -0.9 * log_d(real) - 0.1 * log_d(-real) - log_d(-fake)
    np.testing.assert_allclose(gan.one_sided_discriminator_loss(real, fake), expected, rtol=5e-6)


def test_wasserstein_value_reaches_the_distance_and_never_passes_it(normal):
    """On a line the distance is known from sorting; critics are sums of hinges, K their slope."""
    real, fake = normal(101) + 2.0, 0.5 * normal(101)
    true = stats.wasserstein_distance(np.asarray(real), np.asarray(fake))
    rng = np.random.default_rng(5)
    for _ in range(20):
        slopes, knots = rng.normal(size=4), np.sort(rng.normal(size=4))
        # Slope to the right of each knot is the sum of the slopes so far; 0 left of all.
        constant = np.abs(np.cumsum(slopes)).max()

        def critic(x, slopes=slopes, knots=knots):
            hinges = np.maximum(np.asarray(x, np.float64)[:, None] - knots, 0)
            return jnp.asarray(hinges @ slopes, jnp.float32)

        value = gan.wasserstein_value(critic(real), critic(fake), float(constant)).mean()
        assert float(value) <= true + 1e-5
    far = real + 10.0  # every real point right of every generated one: D(x) = 7 x is best
    true = stats.wasserstein_distance(np.asarray(far), np.asarray(fake))
    assert float(gan.wasserstein_value(7 * far, 7 * fake, 7.0).mean()) == pytest.approx(true)
    assert float(gan.wasserstein_value(-7 * far, -7 * fake, 7.0).mean()) == pytest.approx(-true)


def test_printed_wasserstein_value_grows_with_the_critic_without_bound(normal):
    real, fake = normal(B) + 1.0, normal(B)
    gap = float(np.mean(np.asarray(real, np.float64)) - np.mean(np.asarray(fake, np.float64)))
    for scale in (1.0, 1e3, 1e6, -1e6):
        printed = gan.printed_wasserstein_value(scale * real, scale * fake).mean()
        assert float(printed) == pytest.approx(scale * gap, rel=1e-4)
        right = gan.wasserstein_value(scale * real, scale * fake, abs(scale)).mean()
        assert float(right) == pytest.approx(np.sign(scale) * gap, rel=1e-4)


def test_printed_wasserstein_value_of_a_probability_is_at_most_the_total_variation(densities):
    """Over D in [0, 1] the value is linear, so a corner is best: all of them are tried."""
    p_data, p_model = densities
    corners = jnp.asarray(list(itertools.product([0.0, 1.0], repeat=5)))
    zero = jnp.zeros(corners.shape)
    real = np.asarray(gan.printed_wasserstein_value(corners, zero), np.float64)
    fake = np.asarray(gan.printed_wasserstein_value(zero, corners), np.float64)
    values = real @ p_data + fake @ p_model
    assert values.max() == pytest.approx(np.abs(p_data - p_model).sum() / 2)
    assert values.max() == pytest.approx(0.5)
    # Apart, however near: the total variation is 1 where the distance is small.
    assert gan.printed_wasserstein_value(jnp.ones(1), jnp.zeros(1)).tolist() == [1.0]
    assert stats.wasserstein_distance([0.0], [1e-3]) == pytest.approx(1e-3)


def test_printed_critic_loss_of_a_probability_is_least_where_everything_is_real(logits):
    """−2 at D = 1, for real and generated data alike; no probability goes below."""
    ones = jnp.ones(1)
    assert gan.printed_wasserstein_critic_loss(ones, ones).tolist() == [-2.0]
    probabilities = [gan.discriminator_probability(x) for x in logits]
    assert np.all(np.asarray(gan.printed_wasserstein_critic_loss(*probabilities)) > -2.0)

    def loss(pair):
        return gan.printed_wasserstein_critic_loss(*gan.discriminator_probability(pair))

    pair, step = jnp.asarray([3.0, -3.0]), jax.jit(jax.grad(loss))
    for _ in range(500):
        pair = pair - step(pair)
    assert float(loss(pair)) == pytest.approx(-2.0, abs=0.01)
    assert np.all(special.expit(np.asarray(pair, np.float64)) > 0.99)


def test_wasserstein_losses_by_hand():
    real, fake = jnp.asarray([6.0, 9.0]), jnp.asarray([3.0, -3.0])
    assert gan.wasserstein_critic_loss(real, fake).tolist() == [-3.0, -12.0]
    assert gan.printed_wasserstein_critic_loss(real, fake).tolist() == [-9.0, -6.0]
    assert gan.wasserstein_generator_loss(fake).tolist() == [-3.0, 3.0]


def test_hinge_by_hand_and_beyond_its_margins(logits):
    real, fake = logits
    wide = [np.asarray(x, np.float64) for x in logits]
    expected = np.maximum(0, 1 - wide[0]) + np.maximum(0, 1 + wide[1])
    np.testing.assert_allclose(gan.hinge_critic_loss(real, fake), expected, rtol=2e-6, atol=1e-6)
    sure = jnp.asarray([1.5]), jnp.asarray([-1.5])
    assert gan.hinge_critic_loss(*sure).tolist() == [0.0]
    both = jax.grad(lambda pair: gan.hinge_critic_loss(*pair).sum())
    assert [x.tolist() for x in both(sure)] == [[0.0], [0.0]]
    assert [x.tolist() for x in both((-sure[0], -sure[1]))] == [[-1.0], [1.0]]


def test_least_squares_by_hand(logits):
    real, fake = logits
    wide = [np.asarray(x, np.float64) for x in logits]
    expected = 0.5 * (wide[0] - 1) ** 2 + 0.5 * wide[1] ** 2
    found = gan.least_squares_discriminator_loss(real, fake)
    np.testing.assert_allclose(found, expected, rtol=5e-6)
    expected = 0.5 * (wide[1] - 1) ** 2
    np.testing.assert_allclose(gan.least_squares_generator_loss(fake), expected, rtol=5e-6)


def test_the_best_least_squares_score_is_the_share_of_real_data(densities):
    """The loss is quadratic in each score: the best one by NumPy's own solver of its normal equation."""
    p_data, p_model = densities

    def expected_loss(scores):
        zero = jnp.zeros(5)
        real = gan.least_squares_discriminator_loss(scores, zero)
        fake = gan.least_squares_discriminator_loss(zero + 1.0, scores)
        return jnp.sum(
            jnp.asarray(p_data, jnp.float32) * real + jnp.asarray(p_model, jnp.float32) * fake
        )

    at_0 = np.asarray(jax.grad(expected_loss)(jnp.zeros(5)), np.float64)
    curvature = np.asarray(jax.hessian(expected_loss)(jnp.zeros(5)), np.float64)
    best = np.linalg.solve(curvature, -at_0)
    np.testing.assert_allclose(best, p_data / (p_data + p_model), rtol=1e-5)


def test_the_optimal_logit_is_where_descent_on_the_loss_ends(densities):
    logit = gan.optimal_logit(*(jnp.asarray(np.log(p), jnp.float32) for p in densities))
    found = special.expit(np.asarray(logit, np.float64))
    np.testing.assert_allclose(
        found, best_discriminator(gan.discriminator_loss, densities), atol=1e-5
    )


def descend_critic(loss, steps, limit=None):
    """A critic D(x) = w x + b on real data at 1 and generated data at −1."""
    critic = {"w": jnp.asarray(0.1), "b": jnp.asarray(0.0)}

    def scores(critic):
        return jnp.stack([critic["w"] + critic["b"]]), jnp.stack([critic["b"] - critic["w"]])

    gradient = jax.jit(jax.grad(lambda critic: loss(*scores(critic)).mean()))
    for _ in range(steps):
        critic = jax.tree.map(lambda p, g: p - 0.5 * g, critic, gradient(critic))
        if limit is not None:
            critic = gan.clip_weights(critic, limit)
    real, fake = scores(critic)
    return float(real[0]), float(fake[0])


def test_printed_critic_loss_raises_both_scores_and_separates_nothing():
    for steps in (10, 20, 40):
        real, fake = descend_critic(gan.printed_wasserstein_critic_loss, steps)
        assert real == pytest.approx(steps + 0.1, rel=1e-5)  # each step lifts both by one
        assert fake == pytest.approx(steps - 0.1, rel=1e-5)
        assert real - fake == pytest.approx(0.2, abs=1e-4)  # the gap it started with


def test_clipped_critic_descends_to_a_bounded_separation():
    real, fake = descend_critic(gan.wasserstein_critic_loss, 20, limit=1.0)
    assert (real, fake) == pytest.approx((1.0, -1.0))  # W1 between points at 1 and −1 is 2
    unclipped = descend_critic(gan.wasserstein_critic_loss, 20)
    assert unclipped[0] - unclipped[1] > 20


def test_clip_weights_clips_every_leaf_and_no_more():
    params = {"dense": {"kernel": jnp.asarray([[-3.0, 0.005], [0.02, 1e9]])}, "bias": jnp.zeros(2)}
    clipped = gan.clip_weights(params, 0.01)
    np.testing.assert_allclose(clipped["dense"]["kernel"], [[-0.01, 0.005], [0.01, 0.01]])
    assert clipped["bias"].tolist() == [0.0, 0.0]


ONE = (
    gan.discriminator_probability,
    gan.saturating_generator_loss,
    gan.non_saturating_generator_loss,
    gan.wasserstein_generator_loss,
    gan.least_squares_generator_loss,
)
TWO = (
    gan.minimax_value,
    gan.minimax_discriminator_loss,
    gan.discriminator_loss,
    gan.smoothed_discriminator_loss,
    gan.one_sided_discriminator_loss,
    gan.wasserstein_critic_loss,
    gan.hinge_critic_loss,
    gan.least_squares_discriminator_loss,
    gan.optimal_logit,
)


@pytest.mark.parametrize("function", ONE + TWO, ids=lambda f: f.__name__)
def test_finite_at_extreme_logits_and_in_float32(function, finite_at_extremes, logits):
    count = 1 if function in ONE else 2
    finite_at_extremes(function, count)
    narrow = [x.astype(jnp.bfloat16) for x in logits[:count]]
    found = function(*narrow)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, function(*[x.astype(jnp.float32) for x in narrow]))


def test_gradient_of_the_value(gradient_holds, logits):
    gradient_holds(gan.minimax_value, *logits)
