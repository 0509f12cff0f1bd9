"""What the players keep to beside their losses, each composed by hand from the same keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.points.mixtures import Mixture, ring
from jaxgen.equations import gan
from jaxgen.families.gan.objective import (
    Rules,
    at_rest,
    choose_losses,
    deviation,
    init_players,
    make_gan_losses,
)
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights

B, Z, X = 6, 3, 2
CONFIG = MLPGANConfig(Z, (7,), (11,), output="numbers", waves=2)
KEYS = jax.random.split(jax.random.key(4), B)
BATCH = {"point": jax.random.normal(jax.random.key(9), (B, X))}
PAIR = choose_losses("non-saturating", "none")


def game(rules, config=CONFIG, shape=(X,), name="point", pair=PAIR):
    """(both modules, the losses by player, weights at the start)."""
    players = config.make(shape)
    losses = make_gan_losses(*players, pair, rules, name)
    init = init_players(*players, rules, shape)
    return players, losses, init(jax.random.key(0), jax.random.key(1))


def test_nothing_is_kept_where_no_rule_asks_for_it():
    assert game(Rules())[2].extra is None


@pytest.mark.parametrize(
    "rules",
    [Rules(r1=3.0), Rules(gradient_penalty=5.0), Rules(noise_penalty=2.0, noise=(0.5, 0.1, 10))],
)
def test_a_penalty_is_added_with_its_weight(rules):
    """Of the critic's slope at real points, on lines, or at both, taken of each point alone."""
    (generator, discriminator), losses, weights = game(rules)
    d, g = weights.params["discriminator"], weights.params["generator"]
    value, aux = losses["discriminator"](d, g, weights.extra, BATCH, KEYS)
    parts = [jax.random.split(key, 3) for key in KEYS]
    noise = jnp.stack([jax.random.normal(own[0], (Z,)) for own in parts])
    fake, real = generator.apply({"params": g}, noise), BATCH["point"]
    s = 0.5 if rules.noise else 0.0
    if s:
        real = real + s * jnp.stack(
            [jax.random.normal(jax.random.fold_in(own[1], 2), (X,)) for own in parts]
        )
        fake = fake + s * jnp.stack(
            [jax.random.normal(jax.random.fold_in(own[2], 2), (X,)) for own in parts]
        )

    def slope(x):
        one = jax.grad(lambda x: discriminator.apply({"params": d}, x[None])[0])(x)
        return np.linalg.norm(np.asarray(one, np.float64))

    if rules.r1:
        penalty = np.mean([3.0 * slope(x) ** 2 / 2 for x in real])
    elif rules.gradient_penalty:
        shares = [jax.random.uniform(jax.random.fold_in(key, 3)) for key in KEYS]
        line = [e * x + (1 - e) * y for e, x, y in zip(shares, real, fake, strict=True)]
        penalty = np.mean([5.0 * (slope(x) - 1) ** 2 for x in line])
    else:
        both = [slope(x) ** 2 / 2 + slope(y) ** 2 / 2 for x, y in zip(real, fake, strict=True)]
        penalty = 2.0 * s**2 * np.mean(both)
    logits = [discriminator.apply({"params": d}, part) for part in (real, fake)]
    game_loss = float(PAIR.discriminator(*logits).mean())
    assert float(value) == pytest.approx(game_loss + penalty, rel=1e-4)
    assert float(aux.metrics["penalty"].total) / B == pytest.approx(penalty, rel=1e-4)


def test_noise_falls_with_the_generator_s_updates_and_is_drawn_for_both():
    rules = Rules(noise=(1.0, 0.01, 4))
    _, losses, weights = game(rules)
    d, g = weights.params["discriminator"], weights.params["generator"]
    extra = weights.extra
    assert int(extra["updates"]) == 0 and float(deviation(rules, extra)) == 1.0
    found = []
    for _ in range(5):
        _, aux = losses["discriminator"](d, g, extra, BATCH, KEYS)
        assert int(aux.extra["updates"]) == int(extra["updates"])
        extra = losses["generator"](g, d, extra, BATCH, KEYS)[1].extra
        found.append(float(deviation(rules, extra)))
    assert found == pytest.approx([10**-0.5, 0.1, 10**-1.5, 0.0, 0.0], rel=1e-4)


def test_packs_are_judged_as_one_and_the_loss_is_their_mean():
    rules = Rules(pack=3)
    (_, discriminator), losses, weights = game(rules)
    d, g = weights.params["discriminator"], weights.params["generator"]
    assert d["MLP_0"]["Dense_0"]["kernel"].shape == (3 * X * 5, 11)
    _, aux = losses["discriminator"](d, g, None, BATCH, KEYS)
    assert aux.metrics["real_logit"].count == 2
    packs = BATCH["point"].reshape(2, 3 * X)
    expected = discriminator.apply({"params": d}, packs).sum()
    assert float(aux.metrics["real_logit"].total) == pytest.approx(float(expected), rel=1e-5)


def test_spectral_norms_of_all_kernels_are_one_after_some_updates():
    """And the loss is that of the divided kernels, with a gradient through the divisor."""
    rules = Rules(spectral_norm=True)
    (_, discriminator), losses, weights = game(rules)
    d, g = weights.params["discriminator"], weights.params["generator"]
    extra = weights.extra
    for _ in range(200):
        extra = jax.jit(losses["discriminator"])(d, g, extra, BATCH, KEYS)[1].extra
    point = BATCH["point"]
    divided = jax.tree.map(lambda leaf: leaf, d)
    for name in ("Dense_0", "Dense_1"):
        kernel = np.asarray(d["MLP_0"][name]["kernel"], np.float64)
        divided["MLP_0"][name]["kernel"] = jnp.asarray(
            kernel / np.linalg.norm(kernel, 2), jnp.float32
        )
    judged = at_rest(discriminator, "discriminator", Weights(weights.params, extra), point)
    expected = discriminator.apply({"params": divided}, point)
    np.testing.assert_allclose(judged, expected, rtol=1e-3, atol=1e-5)
    # Scaling a kernel changes nothing, so the gradient has no part along it.
    grads = jax.grad(lambda d: losses["discriminator"](d, g, extra, BATCH, KEYS)[0])(d)
    for name in ("Dense_0", "Dense_1"):
        own, kernel = grads["MLP_0"][name]["kernel"], d["MLP_0"][name]["kernel"]
        assert abs(float(jnp.vdot(own, kernel))) < 1e-3 < float(jnp.abs(own).max())


def test_augmented_images_are_what_both_sides_see():
    """Cutout alone: D's logits are of images with holes, generated ones too, with a gradient left."""
    shape = (4, 4, 1)
    config = MLPGANConfig(Z, (7,), (11,))
    (_, discriminator), losses, weights = game(Rules(augment=("cutout",)), config, shape, "image")
    d, g = weights.params["discriminator"], weights.params["generator"]
    image = jnp.ones((B, *shape))
    _, aux = losses["discriminator"](d, g, None, {"image": image}, KEYS)
    plain = discriminator.apply({"params": d}, image).sum()
    assert abs(float(aux.metrics["real_logit"].total) - float(plain)) > 1e-3
    grads = jax.grad(lambda g: losses["generator"](g, d, None, {"image": image}, KEYS)[0])(g)
    assert float(jnp.abs(grads["MLP_0"]["Dense_0"]["kernel"]).max()) > 1e-4


def test_statistics_of_both_players_are_kept_each_by_its_own_update():
    shape = (4, 4, 1)
    config = DCGANConfig(Z, (2, 3))
    (generator, _), losses, weights = game(Rules(), config, shape, "image")
    d, g = weights.params["discriminator"], weights.params["generator"]
    assert set(weights.extra) == {"discriminator", "generator"}
    image = jax.random.uniform(jax.random.key(2), (B, *shape))
    first = losses["discriminator"](d, g, weights.extra, {"image": image}, KEYS)[1].extra
    changed = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), first, weights.extra)
    assert all(jax.tree.leaves(changed["discriminator"]))
    assert not any(jax.tree.leaves(changed["generator"]))
    second = losses["generator"](g, d, first, {"image": image}, KEYS)[1].extra
    changed = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), second, first)
    assert all(jax.tree.leaves(changed["generator"]))
    assert not any(jax.tree.leaves(changed["discriminator"]))
    # At rest an image does not depend on those drawn beside it.
    noise = jax.random.normal(jax.random.key(3), (B, Z))
    own = Weights(weights.params, second)
    together = at_rest(generator, "generator", own, noise)
    alone = at_rest(generator, "generator", own, noise[:1])
    np.testing.assert_allclose(together[:1], alone, rtol=1e-5)


@pytest.mark.first
def test_the_best_discriminator_of_the_ring_is_what_training_finds():
    """A fixed generator of one wide Gaussian against a wide ring: D → p / (p + q), V → 2 JS − log 4.

    Both densities are known; the value at the optimum is found by the mean over many draws.
    """
    data, model = Mixture(ring().centres, 0.3), Mixture(((0.0, 0.0),), 0.8)
    x, y = (part.draw(40_000, seed).arrays["point"] for seed, part in enumerate((data, model)))

    def best(points):
        return gan.optimal_logit(
            *(
                jnp.asarray(part.log_density(np.asarray(points)), jnp.float32)
                for part in (data, model)
            )
        )

    optimal = float(PAIR.discriminator(best(x), best(y)).mean())
    x, y = jnp.asarray(x), jnp.asarray(y)
    _, discriminator = MLPGANConfig(2, (3,), (64, 64)).make((2,))
    params = discriminator.init(jax.random.key(0), x)["params"]
    optimizer = make_optimizer(
        OptimizerConfig(learning_rate=5e-3, schedule="cosine", decay_steps=800, end_fraction=0.0)
    )
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, opt_state, rows):
        def loss(params):
            logits = [discriminator.apply({"params": params}, part[rows]) for part in (x, y)]
            return PAIR.discriminator(*logits).mean()

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return jax.tree.map(jnp.add, params, updates), opt_state

    rng = np.random.default_rng(2)
    for _ in range(800):
        params, opt_state = step(params, opt_state, jnp.asarray(rng.integers(len(x), size=512)))
    near = x[jnp.linalg.norm(x, axis=1) < 1.3]
    found = jax.nn.sigmoid(discriminator.apply({"params": params}, near))
    assert float(jnp.abs(found - jax.nn.sigmoid(best(near))).mean()) < 0.04
    trained = [discriminator.apply({"params": params}, part) for part in (x, y)]
    assert float(PAIR.discriminator(*trained).mean()) == pytest.approx(optimal, abs=0.02)
    assert optimal < np.log(4) - 0.05  # they are told apart
    # Against itself: log 4, whatever is drawn.
    own = jnp.asarray(data.log_density(np.asarray(x)), jnp.float32)
    even = gan.optimal_logit(own, own)
    assert float(PAIR.discriminator(even, even).mean()) == pytest.approx(np.log(4), rel=1e-6)
