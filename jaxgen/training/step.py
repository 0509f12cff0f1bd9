"""One step of gradient descent as a pure function, (state, batch) -> (state, metrics).

A step whose loss or gradient norm is not finite changes nothing but the step's number and the count
of such steps, so that whoever runs it can stop before the parameters are lost.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.training.gradient import Axis, example_keys, gradient
from jaxgen.training.metrics import Mean, Metrics
from jaxgen.training.state import Batch, State, advance

Step = Callable[..., tuple[State, Metrics]]
"""step(state, batch, axis=None): `axis` is what the batch is split over, if anything."""


def make_step(
    loss: Callable,
    optimizer: optax.GradientTransformation,
    *,
    accumulate: int = 1,
    ema_decay: float = 0.0,
) -> Step:
    """The step that follows the gradient of `loss(params, batch, keys) -> (loss, metrics)`.

    keys (B,) hold one for each example. The batch is taken in `accumulate` pieces; ema_decay is
    that of the parameters' moving average, where the state keeps one.
    """

    def step(state: State, batch: Batch, axis: Axis = None) -> tuple[State, Metrics]:
        keys = example_keys(jax.random.fold_in(state.key, state.step), batch, axis)
        grads, metrics = gradient(loss, state.params, batch, keys, accumulate=accumulate, axis=axis)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = metrics | {"gradient_norm": Mean.of(optax.tree.norm(grads))}
        return advance(state, params, opt_state, all_finite(metrics), ema_decay), metrics

    return step


def all_finite(metrics: Metrics):
    """Whether every metric, and with them the losses and gradient norms, is a finite number."""
    return jnp.isfinite(jnp.stack([mean.total for mean in metrics.values()])).all()
