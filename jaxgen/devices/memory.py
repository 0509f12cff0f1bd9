"""What a run's state needs of a device's memory, said where there is too little."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import jax

from jaxgen.devices.plan import Plan
from jaxgen.errors import UserError
from jaxgen.training.state import State


def state_bytes(shapes: State) -> dict[str, int]:
    """Bytes on one device, by what they are for; `shapes` say where each leaf lies."""
    parts = {
        "parameters": shapes.params, "gradients": shapes.params, "optimiser": shapes.opt_state,
        "average": shapes.ema, "extra": shapes.extra,
    }  # fmt: skip
    sizes = {what: sum(map(_bytes, jax.tree.leaves(tree))) for what, tree in parts.items()}
    return {what: size for what, size in sizes.items() if size}


def _bytes(leaf: Any) -> int:
    """Of one device's part of a leaf."""
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize


@contextlib.contextmanager
def explained_memory(shapes: State, plan: Plan, remedies: str = "") -> Iterator[None]:
    """A UserError where a device's memory is too small, with what the state needs and what to lower.

    A state that cannot fit is refused at once: XLA's CPU client may wait for ever for what it cannot
    allocate. `remedies` are the experiment's own, e.g. "--model.remat, ".
    """
    needs, memory = state_bytes(shapes), plan.memory_bytes

    def error(but: str) -> UserError:
        listed = ", ".join(f"{size / 1e9:.3g} GB of {what}" for what, size in needs.items())
        return UserError(
            f"Out of memory: a step needs {listed} on each device, and its activations, {but}: choose "
            f"a smaller model, lower --batch-size, raise --accumulate, {remedies}or split the state by "
            "--mesh fsdp=N."
        )

    if memory is not None and sum(needs.values()) > memory:
        raise error(f"and there are {memory / 1e9:.3g} GB")
    try:
        yield
    except jax.errors.JaxRuntimeError as problem:
        if "RESOURCE_EXHAUSTED" not in str(problem):
            raise
        raise error(f"and XLA says {str(problem).splitlines()[0]!r}") from problem
