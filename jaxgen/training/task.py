"""What an experiment hands to the engine: functions, and nothing else; and how they are wired."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import optax

from jaxgen.training.state import State, Weights, init_state
from jaxgen.training.step import PLAYERS, Step, make_step, make_two_player_step


@dataclass(frozen=True)
class Task:
    """A model with its loss and its judges, as the functions that train and try it."""

    init: Callable[[Any], State]
    """key -> state before the first step."""
    step: Step
    """(state, batch) -> (state, metrics), pure; with `axis` the mapped axis that splits the batch."""
    evaluate: Callable[[Weights, Any], dict[str, float]] | None = None
    """(weights, held-out data set) -> metrics; always the same for the same weights."""
    sample: Callable[[Weights, Any, Path], Path] | None = None
    """(weights, key, path without suffix) -> the file that was written."""
    stream: Callable[[Weights, Any], Any] | None = None
    """(weights, key) -> what is drawn, in pieces as it comes, each with its text, number of tokens and
    seconds."""
    export: Callable[[Weights], dict[str, Any]] | None = None
    """weights -> tensors by the names under which others know them."""
    adopt: Callable[[Mapping[str, Any], Any], Any] | None = None
    """(tensors by these names, their source for messages) -> params."""
    model_axes: Mapping[str, int] = field(default_factory=dict)
    """Parameter path pattern -> the axis that a mesh's `model` may split; nothing: it splits nothing."""
    best: str | None = None
    """The held-out metric whose lowest value marks the best checkpoint."""
    apply: Callable | None = None
    """(weights, inputs) -> what the model makes of them, pure; each family says of what."""
    loss: Callable | Mapping[str, Callable] | None = None
    """(params, extra, batch, keys) -> (loss, Aux), pure; of two players one each, by name, and of both
    players' params: (own, other, extra, batch, keys)."""


def one_player(
    init: Callable[[Any], Weights],
    loss: Callable,
    optimizer: optax.GradientTransformation,
    *,
    accumulate: int = 1,
    ema_decay: float | None = None,
    **judges: Any,
) -> Task:
    """A model that follows the gradient of one loss.

    Args:
      init: key -> weights. loss: (params, extra, batch, keys) -> (loss, Aux).
      accumulate, ema_decay: as for `make_step`; None keeps no average.
      judges: the other fields of `Task`.
    """

    def init_task(key) -> State:
        init_key, state_key = jax.random.split(key)
        weights = init(init_key)
        opt_state = optimizer.init(weights.params)
        return init_state(weights, opt_state, state_key, ema=ema_decay is not None)

    step = make_step(loss, optimizer, accumulate=accumulate, ema_decay=ema_decay or 0.0)
    return Task(init_task, step, loss=loss, **judges)


def two_players(
    init: Callable[[Any, Any], Weights],
    losses: Mapping[str, Callable],
    optimizers: Mapping[str, optax.GradientTransformation],
    constrain: Callable = lambda params: params,
    *,
    discriminator_steps: int = 1,
    accumulate: int = 1,
    ema_decay: float | None = None,
    **judges: Any,
) -> Task:
    """A game of 'discriminator' and 'generator', each with a loss and an optimiser of its own.

    Args:
      init: (generator's key, discriminator's key) -> weights, whose params hold both players.
      losses, constrain, discriminator_steps: as for `make_two_player_step`. The rest as `one_player`.
    """

    def init_task(key) -> State:
        g_key, d_key, state_key = jax.random.split(key, 3)
        weights = init(g_key, d_key)
        opt_state = {player: optimizers[player].init(weights.params[player]) for player in PLAYERS}
        return init_state(weights, opt_state, state_key, ema=ema_decay is not None)

    step = make_two_player_step(
        losses, optimizers, constrain, discriminator_steps=discriminator_steps,
        accumulate=accumulate, ema_decay=ema_decay or 0.0,
    )  # fmt: skip
    return Task(init_task, step, loss=losses, **judges)
