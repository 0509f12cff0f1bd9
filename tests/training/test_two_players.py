"""The step of two players against the game played by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxgen.training.adversarial import init_players, make_adversarial_step

from jaxgen.equations.gan import clip_weights
from jaxgen.families.gan.objective import choose_losses, make_gan_losses
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.metrics import Mean, to_floats
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import init_state

pytestmark = pytest.mark.usefixtures("compile_quickly")

SHAPE, Z, B = (2, 3, 1), 3, 5


def discriminator_loss(own, other, batch, keys):
    """The mean of d g x + d noise: the gradient is that of g x + noise."""
    values = own["w"] * other["w"] * batch["x"] + own["w"] * jax.vmap(jax.random.normal)(keys)
    return values.mean(), {"discriminator_loss": Mean.of(values)}


def generator_loss(own, other, batch, keys):
    """The mean of -g d + g noise: the gradient is that of noise - d."""
    values = -own["w"] * other["w"] + own["w"] * jax.vmap(jax.random.normal)(keys)
    return values.mean(), {"generator_loss": Mean.of(values)}


@pytest.mark.parametrize("clip", [None, 0.4])
def test_the_game_by_hand(clip):
    """Plain descent: D first, clipped where that is asked for, then G against that D; new noise.

    Player and example i of step t draw from fold_in(split(fold_in(key, t))[player], i).
    """
    optimizer = optax.sgd(0.25)

    def constrain(params):
        return params if clip is None else clip_weights(params, clip)

    players = {"discriminator": {"w": jnp.float32(0.3)}, "generator": {"w": jnp.float32(-0.7)}}
    key = jax.random.key(5)
    state = init_state(players, init_players(players, optimizer), key)
    step = jax.jit(make_adversarial_step(discriminator_loss, generator_loss, optimizer, constrain))
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


def test_each_player_of_a_gan_takes_its_own_adam_step(random_params):
    """A first step of Adam is -rate g / (|g| + 1e-8), g the gradient of its own loss.

    The generator's is taken against the critic that was just updated and clipped.
    """
    config = MLPGANConfig(Z, (7,), (11,))
    generator, critic = Generator(config, SHAPE), Discriminator(config)
    batch = {"image": jax.random.uniform(jax.random.key(9), (B, *SHAPE))}
    params = {
        "discriminator": random_params(critic, batch["image"], scale=0.03, seed=1),
        "generator": random_params(generator, jnp.zeros((1, Z))),
    }
    losses = make_gan_losses(generator, critic, choose_losses("wasserstein", "none"))
    optimizer = make_optimizer(OptimizerConfig(learning_rate=1e-3))
    key = jax.random.key(0)
    state = init_state(params, init_players(params, optimizer), key)
    step = make_adversarial_step(*losses, optimizer, lambda params: clip_weights(params, 0.04))
    state, metrics = jax.jit(step)(state, batch)
    after = state.params

    @jax.jit
    def gradients(g, d, updated):
        d_keys, g_keys = (
            jnp.stack([jax.random.fold_in(player, i) for i in range(B)])
            for player in jax.random.split(jax.random.fold_in(key, 0))
        )
        d_grads = jax.grad(losses[0], has_aux=True)(d, g, batch, d_keys)[0]
        return d_grads, jax.grad(losses[1], has_aux=True)(g, updated, batch, g_keys)[0]

    d_grads, g_grads = gradients(
        params["generator"], params["discriminator"], after["discriminator"]
    )

    def stepped(p, g):
        p, g = np.asarray(p, np.float64), np.asarray(g, np.float64)
        return p - 1e-3 * g / (np.abs(g) + 1e-8)

    def check(found, expected, grad):
        sure = np.abs(np.asarray(grad)) != 0  # at 0 both forms stand still, but for rounding
        np.testing.assert_allclose(np.asarray(found)[sure], expected[sure], rtol=1e-3, atol=2e-6)

    d_expected = jax.tree.map(stepped, params["discriminator"], d_grads)
    clipped = jax.tree.map(lambda leaf: np.clip(leaf, -0.04, 0.04), d_expected)
    jax.tree.map(check, after["discriminator"], clipped, d_grads)
    g_expected = jax.tree.map(stepped, params["generator"], g_grads)
    jax.tree.map(check, after["generator"], g_expected, g_grads)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(d_expected)) > 0.04
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(after["generator"])) > 0.04
    for player, grads in (("discriminator", d_grads), ("generator", g_grads)):
        squares = sum(np.sum(np.square(leaf, dtype=np.float64)) for leaf in jax.tree.leaves(grads))
        norm = metrics[f"{player}_gradient_norm"]
        assert norm.count == 1
        np.testing.assert_allclose(norm.total, np.sqrt(squares), rtol=1e-4)  # two programs
