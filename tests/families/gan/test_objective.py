"""The GAN objectives: each named pair is what NumPy says, and the trainer minimises just that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_expit

from jaxgen.catalog import EQUATIONS
from jaxgen.families.gan.names import AS_PRINTED, LOSS_NAMES
from jaxgen.families.gan.objective import (
    LOSSES,
    choose_losses,
    make_gan_losses,
)
from jaxgen.models.mlp_gan.config import MLPGANConfig

SHAPE, B, Z = (2, 3, 1), 5, 4
CONFIG = MLPGANConfig(Z, (7,), (11,), discriminator_dropout=0.2)
GENERATOR, DISCRIMINATOR = CONFIG.make(SHAPE)
BATCH = {"image": jax.random.uniform(jax.random.key(9), (B, *SHAPE))}
KEYS = jax.random.split(jax.random.key(4), B)
EXTRA = {"left": jnp.arange(3.0)}  # that neither player's loss reads


def smoothed(real_label, fake_label):
    def loss(real, fake):
        real = real_label * log_expit(real) + (1 - real_label) * log_expit(-real)
        return -real - fake_label * log_expit(fake) - (1 - fake_label) * log_expit(-fake)

    return loss


GENERATORS = {
    "non-saturating": lambda fake: -log_expit(fake),
    "saturating": lambda fake: log_expit(-fake),
    "wasserstein": lambda fake: -fake,
    "wasserstein-gp": lambda fake: -fake,
    "hinge": lambda fake: -fake,
    "least-squares": lambda fake: (fake - 1) ** 2 / 2,
    "gan.minimax:as-printed": lambda fake: log_expit(-fake),
    "gan.wasserstein-value:as-printed": lambda fake: -fake,
    "gan.wasserstein-critic-loss:as-printed": lambda fake: -fake,
    "gan.label-smoothing:as-printed": lambda fake: -log_expit(fake),
}
CRITICS = {
    "wasserstein": lambda real, fake: fake - real,
    "wasserstein-gp": lambda real, fake: fake - real,
    "hinge": lambda real, fake: np.maximum(0, 1 - real) + np.maximum(0, 1 + fake),
    "least-squares": lambda real, fake: (real - 1) ** 2 / 2 + fake**2 / 2,
    "gan.minimax:as-printed": lambda real, fake: log_expit(real) + log_expit(-fake),
    "gan.wasserstein-value:as-printed": lambda real, fake: fake - real,
    "gan.wasserstein-critic-loss:as-printed": lambda real, fake: -real - fake,
    "gan.label-smoothing:as-printed": smoothed(0.9, 0.1),
}
DISCRIMINATORS = {
    "none": smoothed(1.0, 0.0), "one-sided": smoothed(0.9, 0.0), "two-sided": smoothed(0.9, 0.1),
}  # fmt: skip
PAIRS = [
    *((loss, how) for loss in ("non-saturating", "saturating") for how in DISCRIMINATORS),
    *((loss, "none") for loss in CRITICS),
]


def test_every_named_pair_is_tested():
    assert {loss for loss, _ in PAIRS} == LOSSES.keys() == {*LOSS_NAMES, *AS_PRINTED}


@pytest.mark.parametrize(("loss", "smoothing"), PAIRS)
def test_named_losses_of_logits(loss, smoothing):
    pair = choose_losses(loss, smoothing)
    rng = np.random.default_rng(0)
    real, fake = (jnp.asarray(3 * rng.standard_normal(13), jnp.float32) for _ in range(2))
    wide = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    critic = CRITICS.get(loss, DISCRIMINATORS[smoothing])(*wide)
    np.testing.assert_allclose(pair.discriminator(real, fake), critic, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        pair.generator(fake), GENERATORS[loss](wide[1]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("loss", "smoothing"), PAIRS)
def test_named_losses_are_the_catalogue_s_own_functions(loss, smoothing):
    catalogue = {equation.function for equation in EQUATIONS.values()}
    if (
        smoothing == "two-sided" or "printed" in loss
    ):  # what the documents do, and are advised against
        catalogue = {equation.printed_function for equation in EQUATIONS.values()} | catalogue
    assert set(choose_losses(loss, smoothing)) <= catalogue


@pytest.fixture(scope="module")
def players(random_params):
    noise, image = jnp.zeros((1, Z)), BATCH["image"]
    return random_params(GENERATOR, noise), random_params(DISCRIMINATOR, image, seed=1)


def parts(count):
    """Example by example: its key split in so many, of which each serves one purpose."""
    split = [jax.random.split(key, count) for key in KEYS]
    return [jnp.stack([keys[i] for keys in split]) for i in range(count)]


def generate(params, keys):
    noise = jnp.stack([jax.random.normal(key, (Z,)) for key in keys])
    return GENERATOR.apply({"params": params}, noise)


def judge(params, image, keys):
    return DISCRIMINATOR.apply({"params": params}, image, keys)


@pytest.mark.parametrize(("loss", "smoothing"), PAIRS)
def test_value_and_gradient_are_the_pair_composed_by_hand(players, loss, smoothing):
    """With the same keys for noise and dropout."""
    pair = choose_losses(loss, smoothing)
    noise_keys, real_keys, fake_keys = parts(3)
    g_noise_keys, g_fake_keys = parts(2)

    def hand_discriminator(own, other):
        fake = generate(other, noise_keys)
        real_logits = judge(own, BATCH["image"], real_keys)
        return pair.discriminator(real_logits, judge(own, fake, fake_keys)).mean()

    def hand_generator(own, other):
        return pair.generator(judge(other, generate(own, g_noise_keys), g_fake_keys)).mean()

    def gradient(objective, own, other):
        return jax.value_and_grad(objective, has_aux=True)(own, other, EXTRA, BATCH, KEYS)

    # operation by operation, so that both forms do the very same arithmetic
    g, d = players
    objectives = make_gan_losses(GENERATOR, DISCRIMINATOR, pair)
    found = (
        gradient(objectives["discriminator"], d, g),
        gradient(objectives["generator"], g, d),
    )
    hands = (
        jax.value_and_grad(hand_discriminator)(d, g),
        jax.value_and_grad(hand_generator)(g, d),
    )
    names = ("discriminator_loss", "generator_loss")
    for ((value, aux), grads), (hand_value, hand_grads), name in zip(
        found, hands, names, strict=True
    ):
        assert value == hand_value
        jax.tree.map(np.testing.assert_array_equal, grads, hand_grads)
        assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(grads)) > 1e-3
        np.testing.assert_allclose(aux.metrics[name].total, B * hand_value, rtol=1e-6)
        assert aux.metrics[name].count == B
        np.testing.assert_array_equal(aux.extra["left"], EXTRA["left"])


def test_the_discriminator_loss_has_no_gradient_to_the_generator(players):
    """Nor does it fail to depend on it: other generated images, another loss."""
    g, d = players
    pair = choose_losses("non-saturating", "none")
    objective = make_gan_losses(GENERATOR, DISCRIMINATOR, pair)["discriminator"]
    grads = jax.grad(lambda g: objective(d, g, None, BATCH, KEYS)[0])(g)
    jax.tree.map(lambda leaf: np.testing.assert_array_equal(leaf, 0.0), grads)
    other = jax.tree.map(lambda leaf: -leaf, g)
    assert (
        abs(objective(d, other, None, BATCH, KEYS)[0] - objective(d, g, None, BATCH, KEYS)[0])
        > 1e-3
    )


def test_metrics_of_the_discriminator(players):
    generator, discriminator = players
    pair = choose_losses("non-saturating", "none")
    objective = make_gan_losses(GENERATOR, DISCRIMINATOR, pair)["discriminator"]
    noise_keys, real_keys, fake_keys = parts(3)

    metrics = objective(discriminator, generator, None, BATCH, KEYS)[1].metrics
    real = np.asarray(judge(discriminator, BATCH["image"], real_keys))
    fake = np.asarray(judge(discriminator, generate(generator, noise_keys), fake_keys))
    right = sum(logit > 0 for logit in real) + sum(logit < 0 for logit in fake)
    assert (metrics["discriminator_accuracy"].total, metrics["discriminator_accuracy"].count) == (
        right,
        2 * B,
    )
    np.testing.assert_allclose(metrics["real_logit"].total, real.sum(), rtol=1e-5)
    np.testing.assert_allclose(metrics["fake_logit"].total, fake.sum(), rtol=1e-5)
