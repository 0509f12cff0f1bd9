"""A run that begins with the weights of another one: leaf by leaf, but for those that are left out."""

import re
from typing import Any

import jax
import numpy as np

from jaxgen.devices.plan import Plan
from jaxgen.errors import UserError
from jaxgen.runs.manifest import by_path, to_host
from jaxgen.training.state import State, Weights


def begun_with(
    state: State, weights: Weights, without: str | None, source: str, plan: Plan
) -> tuple[State, list[str]]:
    """(the state before the first step with another run's weights, the paths of what was left out).

    Leaves whose path, as params/block0/attention/query/kernel, has a match of the regular expression
    `without` stay as they were drawn, and so does the optimiser; an average starts at the parameters.
    Raises UserError where another leaf is not there in the shape and dtype that it has here.
    """
    there, left_out = by_path(weights), []

    def take(path: str, leaf: Any) -> Any:
        if without is not None and re.search(without, path):
            left_out.append(path)
            return leaf
        found = there.get(path)
        if found is None or (found.shape, found.dtype) != (leaf.shape, leaf.dtype):
            here = f"{leaf.dtype}{list(leaf.shape)}"
            other = "nothing" if found is None else f"{found.dtype}{list(found.shape)}"
            raise UserError(
                f"{path} is {here} here and {other} in {source}: leave it out by --init-without, or "
                "name another run."
            )
        return plan.placed(to_host(found), leaf)

    own = Weights(state.params, state.extra)
    taken = [take(path, leaf) for path, leaf in by_path(own).items()]
    params, extra = jax.tree.unflatten(jax.tree.structure(own), taken)
    if len(left_out) == len(taken):
        raise UserError(f"--init-without {without} leaves out all of {source}: leave out less.")
    ema = state.ema
    if ema is not None:
        ema = jax.tree.map(lambda leaf: plan.placed(np.array(to_host(leaf)), leaf), params)
    return state._replace(params=params, extra=extra, ema=ema), left_out
