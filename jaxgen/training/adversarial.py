"""One step of a two-player game as a pure function: the discriminator first, then the generator.

Goodfellow et al. 2014, algorithm 1 with k = 1, https://arxiv.org/abs/1406.2661. The generator plays
against the discriminator that has just been updated, with fresh noise.
"""

from collections.abc import Callable

import jax
import optax

from jaxgen.training.state import Batch, State
from jaxgen.training.step import Step


def make_adversarial_step(
    discriminator_loss: Callable,
    generator_loss: Callable,
    optimizer: optax.GradientTransformation,
    constrain: Callable = lambda params: params,
) -> Step:
    """The step of both players; params and opt_state are dicts 'discriminator' and 'generator'.

    Each loss is `(own_params, other_params, batch, key) -> (loss, metrics)`. `constrain` maps the
    discriminator's parameters after its update, e.g. weight clipping for a Wasserstein critic.
    """

    def update(loss, own, other, opt_state, batch, key):
        grads, metrics = jax.grad(loss, has_aux=True)(own, other, batch, key)
        updates, opt_state = optimizer.update(grads, opt_state, own)
        return optax.apply_updates(own, updates), opt_state, metrics

    def step(state: State, batch: Batch):
        params, opt_state = state.params, state.opt_state
        d_key, g_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        discriminator, d_opt_state, d_metrics = update(
            discriminator_loss, params["discriminator"], params["generator"],
            opt_state["discriminator"], batch, d_key,
        )  # fmt: skip
        discriminator = constrain(discriminator)
        generator, g_opt_state, g_metrics = update(
            generator_loss, params["generator"], discriminator,
            opt_state["generator"], batch, g_key,
        )  # fmt: skip
        params = {"discriminator": discriminator, "generator": generator}
        opt_state = {"discriminator": d_opt_state, "generator": g_opt_state}
        return State(state.step + 1, params, opt_state, state.key), d_metrics | g_metrics

    return step


def init_players(params: dict, optimizer: optax.GradientTransformation) -> dict:
    """The optimiser states of both players."""
    return {player: optimizer.init(own) for player, own in params.items()}
