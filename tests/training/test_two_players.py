"""The step of two players against the game played by hand, one and several updates of D a step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.equations.gan import clip_weights
from jaxgen.families.gan.objective import choose_losses, make_gan_losses
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean, to_floats
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights, init_state
from jaxgen.training.step import PLAYERS, make_two_player_step

SHAPE, Z, B = (2, 3, 1), 3, 5


def discriminator_loss(own, other, extra, batch, keys):
    """The mean of d g x + d noise: the gradient is that of g x + noise."""
    values = own["w"] * other["w"] * batch["x"] + own["w"] * jax.vmap(jax.random.normal)(keys)
    return values.mean(), Aux({"discriminator_loss": Mean.of(values)}, extra)


def generator_loss(own, other, extra, batch, keys):
    """The mean of -g d + g noise: the gradient is that of noise - d."""
    values = -own["w"] * other["w"] + own["w"] * jax.vmap(jax.random.normal)(keys)
    return values.mean(), Aux({"generator_loss": Mean.of(values)}, extra)


LOSSES = {"discriminator": discriminator_loss, "generator": generator_loss}


def start(optimizers, key, d=0.3, g=-0.7, extra=None, **options):
    params = {"discriminator": {"w": jnp.float32(d)}, "generator": {"w": jnp.float32(g)}}
    opt_state = {player: optimizers[player].init(params[player]) for player in PLAYERS}
    return init_state(Weights(params, extra), opt_state, key, **options)


@pytest.mark.parametrize("clip", [None, 0.4])
def test_the_game_by_hand(clip):
    """Plain descent: D first, clipped where that is asked for, then G against that D; new noise.

    Player and example i of step t draw from fold_in(split(fold_in(key, t))[player], i).
    """
    optimizers = dict.fromkeys(PLAYERS, optax.sgd(0.25))

    def constrain(params):
        return params if clip is None else clip_weights(params, clip)

    key = jax.random.key(5)
    state = start(optimizers, key)
    step = jax.jit(make_two_player_step(LOSSES, optimizers, constrain))
    d, g, clipped, noises = 0.3, -0.7, 0, set()
    for t, examples in enumerate([[2.0, 5.0], [-2.5, -1.0], [0.75, 0.25]]):
        x = sum(examples) / 2  # 3.5, -1.75, 0.5
        drawn = [
            [float(jax.random.normal(jax.random.fold_in(player, i))) for i in range(2)]
            for player in jax.random.split(jax.random.fold_in(key, t))
        ]
        noises |= {*drawn[0], *drawn[1]}
        d_noise, g_noise = (sum(pair) / 2 for pair in drawn)
        d_loss, d_norm = d * g * x + d * d_noise, abs(g * x + d_noise)
        d = d - 0.25 * (g * x + d_noise)
        if clip is not None:
            clipped += abs(d) > clip
            d = min(max(d, -clip), clip)
        g_loss, g_norm = -g * d + g * g_noise, abs(g_noise - d)
        g = g - 0.25 * (g_noise - d)
        state, metrics = step(state, {"x": jnp.asarray(examples, jnp.float32)})
        assert float(state.params["discriminator"]["w"]) == pytest.approx(d, rel=1e-5)
        assert float(state.params["generator"]["w"]) == pytest.approx(g, rel=1e-5)
        expected = {
            "discriminator_loss": d_loss, "discriminator_gradient_norm": d_norm,
            "generator_loss": g_loss, "generator_gradient_norm": g_norm,
        }  # fmt: skip
        assert to_floats(metrics) == pytest.approx(expected, rel=1e-5)
        assert state.step == t + 1
    assert len(noises) == 3 * 2 * 2
    assert clip is None or clipped  # the bound was met, or nothing was tried


def test_three_updates_of_the_discriminator_by_hand():
    """D descends by momentum at its rate, G by Adam at its own; D's update i takes rows i, i + 3, ...

    Its examples draw from fold_in(split(split(fold_in(key, t))[0], 3)[i], place in the part); G plays
    on the last part. What is reported of D is its last update.
    """
    optimizers = {
        "discriminator": optax.sgd(0.25, momentum=0.5),
        "generator": optax.adam(0.1, b1=0.5, b2=0.9),
    }
    key, clip = jax.random.key(5), 0.9
    state = start(optimizers, key, extra={"seen": jnp.float32(0)})

    def counted(loss):
        """Each update leaves the sum of what it has seen, which the next one finds."""

        def own(own, other, extra, batch, keys):
            value, aux = loss(own, other, extra, batch, keys)
            return value, aux._replace(extra={"seen": 2 * extra["seen"] + batch["x"].sum()})

        return own

    step = make_two_player_step(
        {player: counted(loss) for player, loss in LOSSES.items()}, optimizers,
        lambda params: clip_weights(params, clip), discriminator_steps=3,
    )  # fmt: skip
    step, clipped, seen = jax.jit(step), 0, 0.0
    d, g, trace, mu, nu = 0.3, -0.7, 0.0, 0.0, 0.0
    rows = np.random.default_rng(3).standard_normal((4, 6)).astype(np.float32)
    for t, x in enumerate(rows.astype(np.float64)):
        d_key, g_key = jax.random.split(jax.random.fold_in(key, t))
        for i, update_key in enumerate(jax.random.split(d_key, 3)):
            part = [x[i], x[i + 3]]
            noise = np.mean(
                [float(jax.random.normal(jax.random.fold_in(update_key, j))) for j in range(2)]
            )
            d_loss, d_norm = d * g * np.mean(part) + d * noise, abs(g * np.mean(part) + noise)
            trace = g * np.mean(part) + noise + 0.5 * trace
            d = d - 0.25 * trace
            clipped += abs(d) > clip
            d = min(max(d, -clip), clip)
            seen = 2 * seen + sum(part)
        noise = np.mean([float(jax.random.normal(jax.random.fold_in(g_key, j))) for j in range(2)])
        g_loss, slope = -g * d + g * noise, noise - d
        mu, nu = 0.5 * mu + 0.5 * slope, 0.9 * nu + 0.1 * slope**2
        g = g - 0.1 * (mu / (1 - 0.5 ** (t + 1))) / (np.sqrt(nu / (1 - 0.9 ** (t + 1))) + 1e-8)
        seen = 2 * seen + x[2] + x[5]
        state, metrics = step(state, {"x": jnp.asarray(x, jnp.float32)})
        assert float(state.params["discriminator"]["w"]) == pytest.approx(d, rel=1e-5)
        assert float(state.params["generator"]["w"]) == pytest.approx(g, rel=1e-5)
        assert float(state.extra["seen"]) == pytest.approx(seen, rel=1e-5)
        expected = {
            "discriminator_loss": d_loss, "discriminator_gradient_norm": d_norm,
            "generator_loss": g_loss, "generator_gradient_norm": abs(slope),
        }  # fmt: skip
        assert to_floats(metrics) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert 0 < clipped < 12


@pytest.mark.usefixtures("allow_nans")
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_clipping_hides_of_an_early_update_is_guarded_all_the_same(bad):
    """Only the first of three updates fails, and its infinite step is clipped to a finite weight."""
    optimizers = dict.fromkeys(PLAYERS, optax.sgd(0.25))
    step = make_two_player_step(
        LOSSES, optimizers, lambda params: clip_weights(params, 0.01), discriminator_steps=3,
        ema_decay=0.9,
    )  # fmt: skip
    before = start(optimizers, jax.random.key(5), ema=True, extra={"codes": jnp.arange(3.0)})
    x = np.asarray([bad, 1.0, 2.0, 3.0, 4.0, 5.0], np.float32)  # place 0 is of update 0
    after, metrics = jax.jit(step)(before, {"x": jnp.asarray(x)})
    assert (after.step, after.skipped) == (1, 1)
    for one, other in zip(
        jax.tree.leaves((after.params, after.opt_state, after.ema, after.extra)),
        jax.tree.leaves((before.params, before.opt_state, before.ema, before.extra)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    # What is reported is of the last update: after an infinite one it looks sound.
    assert np.isnan(bad) or np.isfinite(list(to_floats(metrics).values())).all()
    fine, _ = jax.jit(step)(before, {"x": jnp.asarray(np.where(np.isfinite(x), x, 0.0))})
    assert fine.skipped == 0
    assert abs(fine.params["discriminator"]["w"]) == np.float32(0.01)  # clipped, and finite


def test_a_batch_that_is_not_for_so_many_updates_is_refused():
    optimizers = dict.fromkeys(PLAYERS, optax.sgd(0.25))
    step = make_two_player_step(LOSSES, optimizers, discriminator_steps=3)
    with pytest.raises(ValueError, match="7 examples are not for 3 discriminator steps"):
        step(start(optimizers, jax.random.key(0)), {"x": jnp.zeros(7)})


def test_each_player_of_a_gan_takes_its_own_adam_step(random_params):
    """A first step of Adam is -rate g / (|g| + 1e-8), g the gradient of its own loss.

    Each player's rate is its own; the generator's gradient is taken against the critic that was just
    updated and clipped.
    """
    generator, critic = MLPGANConfig(Z, (7,), (11,)).make(SHAPE)
    batch = {"image": jax.random.uniform(jax.random.key(9), (B, *SHAPE))}
    params = {
        "discriminator": random_params(critic, batch["image"], scale=0.03, seed=1),
        "generator": random_params(generator, jnp.zeros((1, Z))),
    }
    losses = make_gan_losses(generator, critic, choose_losses("wasserstein", "none"))
    rates = {"discriminator": 1e-3, "generator": 3e-3}
    optimizers = {
        player: make_optimizer(OptimizerConfig(learning_rate=rate))
        for player, rate in rates.items()
    }
    opt_state = {player: optimizers[player].init(own) for player, own in params.items()}
    key = jax.random.key(0)
    state = init_state(Weights(params), opt_state, key)
    step = make_two_player_step(losses, optimizers, lambda params: clip_weights(params, 0.04))
    state, metrics = jax.jit(step)(state, batch)
    after = state.params

    @jax.jit
    def gradients(g, d, updated):
        d_keys, g_keys = (
            jnp.stack([jax.random.fold_in(player, i) for i in range(B)])
            for player in jax.random.split(jax.random.fold_in(key, 0))
        )
        d_loss, g_loss = (jax.grad(losses[player], has_aux=True) for player in PLAYERS)
        return d_loss(d, g, None, batch, d_keys)[0], g_loss(g, updated, None, batch, g_keys)[0]

    d_grads, g_grads = gradients(
        params["generator"], params["discriminator"], after["discriminator"]
    )

    def stepped(player, grads):
        def move(p, g):
            p, g = np.asarray(p, np.float64), np.asarray(g, np.float64)
            return p - rates[player] * g / (np.abs(g) + 1e-8)

        return jax.tree.map(move, params[player], grads)

    def check(found, expected, grad):
        sure = np.abs(np.asarray(grad)) != 0  # at 0 both forms stand still, but for rounding
        np.testing.assert_allclose(np.asarray(found)[sure], expected[sure], rtol=1e-3, atol=2e-6)

    d_expected = stepped("discriminator", d_grads)
    clipped = jax.tree.map(lambda leaf: np.clip(leaf, -0.04, 0.04), d_expected)
    jax.tree.map(check, after["discriminator"], clipped, d_grads)
    jax.tree.map(check, after["generator"], stepped("generator", g_grads), g_grads)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(d_expected)) > 0.04
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(after["generator"])) > 0.04
    for player, grads in (("discriminator", d_grads), ("generator", g_grads)):
        squares = sum(np.sum(np.square(leaf, dtype=np.float64)) for leaf in jax.tree.leaves(grads))
        norm = metrics[f"{player}_gradient_norm"]
        assert norm.count == 1
        np.testing.assert_allclose(norm.total, np.sqrt(squares), rtol=1e-4)  # two programs
