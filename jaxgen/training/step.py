"""One step of gradient descent as a pure function, (state, batch) -> (state, metrics)."""

from collections.abc import Callable

import jax
import optax

from jaxgen.training.metrics import Mean, Metrics
from jaxgen.training.state import Batch, State

Step = Callable[[State, Batch], tuple[State, Metrics]]


def make_step(loss: Callable, optimizer: optax.GradientTransformation) -> Step:
    """The step that follows the gradient of `loss(params, batch, key) -> (loss, metrics)`."""

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        grads, metrics = jax.grad(loss, has_aux=True)(state.params, batch, key)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = metrics | {"gradient_norm": Mean.of(optax.tree.norm(grads))}
        return State(state.step + 1, params, opt_state, state.key), metrics

    return step
