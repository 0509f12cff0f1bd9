"""One step of one or two players as a pure function, (state, batch) -> (state, metrics).

A step whose loss or gradient norm is not finite changes nothing but the step's number and the count
of such steps, so that whoever runs it can stop before the parameters are lost.

Two players: Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661. The generator plays
against the discriminator that has just been updated, with fresh noise.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from jaxgen.training.batch import Axis, batch_size, every, example_keys
from jaxgen.training.gradient import gradient
from jaxgen.training.metrics import Mean, Metrics
from jaxgen.training.state import Batch, State, Weights, advance

Step = Callable[..., tuple[State, Metrics]]
"""step(state, batch, axis=None): `axis` is what the batch is split over, if anything."""

PLAYERS = ("discriminator", "generator")


def make_step(
    loss: Callable,
    optimizer: optax.GradientTransformation,
    *,
    accumulate: int = 1,
    ema_decay: float = 0.0,
) -> Step:
    """The step that follows the gradient of `loss(params, extra, batch, keys) -> (loss, Aux)`.

    keys (B,) hold one for each example. The batch is taken in `accumulate` pieces; ema_decay is
    that of the parameters' moving average, where the state keeps one.
    """

    def step(state: State, batch: Batch, axis: Axis = None) -> tuple[State, Metrics]:
        keys = example_keys(jax.random.fold_in(state.key, state.step), batch, axis)
        grads, (metrics, extra, _) = gradient(
            loss, state.params, state.extra, batch, keys, accumulate=accumulate, axis=axis
        )
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        weights = Weights(optax.apply_updates(state.params, updates), extra)
        metrics = metrics | {"gradient_norm": Mean.of(optax.tree.norm(grads))}
        return advance(state, weights, opt_state, all_finite(metrics), ema_decay), metrics

    return step


def make_two_player_step(
    losses: Mapping[str, Callable],
    optimizers: Mapping[str, optax.GradientTransformation],
    constrain: Callable = lambda params: params,
    *,
    discriminator_steps: int = 1,
    accumulate: int = 1,
    ema_decay: float = 0.0,
) -> Step:
    """The step of 'discriminator' and 'generator'; params, opt_state, losses, optimizers have both.

    Each loss is `(own_params, other_params, extra, batch, keys) -> (loss, Aux)`. A batch holds the
    examples of k = discriminator_steps updates of the discriminator, each on a k-th of it, then one of
    the generator, on the last of these. `constrain` maps the discriminator's parameters after each
    update, e.g. weight clipping for a Wasserstein critic. The rest is as in `make_step`.
    """

    def step(state: State, batch: Batch, axis: Axis = None):
        params, opt_state, extra = dict(state.params), dict(state.opt_state), state.extra
        updates_metrics: list[Metrics] = []

        def update(player, other, batch, key):
            nonlocal extra

            def own_loss(own, extra, batch, keys):
                return losses[player](own, params[other], extra, batch, keys)

            keys = example_keys(key, batch, axis)
            grads, (found, extra, _) = gradient(
                own_loss, params[player], extra, batch, keys, accumulate=accumulate, axis=axis
            )
            updates, opt_state[player] = optimizers[player].update(
                grads, opt_state[player], params[player]
            )
            params[player] = optax.apply_updates(params[player], updates)
            norm = {f"{player}_gradient_norm": Mean.of(optax.tree.norm(grads))}
            updates_metrics.append(found | norm)

        d_key, g_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        for part, key in _parts(batch, d_key, discriminator_steps):
            update("discriminator", "generator", part, key)
            params["discriminator"] = constrain(params["discriminator"])
        update("generator", "discriminator", part, g_key)
        finite = all_finite(*updates_metrics)
        metrics = updates_metrics[-2] | updates_metrics[-1]
        return advance(state, Weights(params, extra), opt_state, finite, ema_decay), metrics

    return step


def _parts(batch: Batch, key, count: int) -> list:
    """(part of the batch, key) of each update of the discriminator."""
    if count == 1:
        return [(batch, key)]
    if batch_size(batch) % count:
        raise ValueError(f"{batch_size(batch)} examples are not for {count} discriminator steps")
    keys = jax.random.split(key, count)
    return [(jax.tree.map(every(count, i), batch), keys[i]) for i in range(count)]


def all_finite(*metrics: Metrics):
    """Whether every metric, and with them the losses and gradient norms, is a finite number."""
    totals = [mean.total for found in metrics for mean in found.values()]
    return jnp.isfinite(jnp.stack(totals)).all()
