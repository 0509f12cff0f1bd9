"""One step of a two-player game as a pure function: the discriminator first, then the generator.

Goodfellow et al. 2014, algorithm 1 with k = 1, https://arxiv.org/abs/1406.2661. The generator plays
against the discriminator that has just been updated, with fresh noise.
"""

from collections.abc import Callable

import jax
import optax

from jaxgen.training.gradient import Axis, example_keys, gradient
from jaxgen.training.metrics import Mean
from jaxgen.training.state import Batch, State, advance
from jaxgen.training.step import Step, all_finite


def make_adversarial_step(
    discriminator_loss: Callable,
    generator_loss: Callable,
    optimizer: optax.GradientTransformation,
    constrain: Callable = lambda params: params,
    *,
    accumulate: int = 1,
    ema_decay: float = 0.0,
) -> Step:
    """The step of both players; params and opt_state are dicts 'discriminator' and 'generator'.

    Each loss is `(own_params, other_params, batch, keys) -> (loss, metrics)`. `constrain` maps the
    discriminator's parameters after its update, e.g. weight clipping for a Wasserstein critic. The
    rest is as in `make_step`.
    """

    def step(state: State, batch: Batch, axis: Axis = None):
        params, opt_state, metrics = dict(state.params), dict(state.opt_state), {}

        def update(player, other, loss, key):
            def own_loss(own, batch, keys):
                return loss(own, params[other], batch, keys)

            keys = example_keys(key, batch, axis)
            grads, found = gradient(
                own_loss, params[player], batch, keys, accumulate=accumulate, axis=axis
            )
            updates, opt_state[player] = optimizer.update(grads, opt_state[player], params[player])
            params[player] = optax.apply_updates(params[player], updates)
            norm = {f"{player}_gradient_norm": Mean.of(optax.tree.norm(grads))}
            metrics.update(found | norm)

        d_key, g_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        update("discriminator", "generator", discriminator_loss, d_key)
        params["discriminator"] = constrain(params["discriminator"])
        update("generator", "discriminator", generator_loss, g_key)
        return advance(state, params, opt_state, all_finite(metrics), ema_decay), metrics

    return step


def init_players(params: dict, optimizer: optax.GradientTransformation) -> dict:
    """The optimiser states of both players."""
    return {player: optimizer.init(own) for player, own in params.items()}
