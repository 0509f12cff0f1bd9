"""What a step needs of a device's memory by the mathematics, said where there is too little."""

import contextlib
from typing import Any

import jax

from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment
from jaxgen.training.parallel import Plan


def _needs(experiment: Experiment, spec: Any, plan: Plan) -> dict[str, float]:
    """Bytes that a step needs on each device, by the mathematics."""
    table = experiment.costs(spec)
    parameters = 4 * table.parameters / plan.mesh.shape.get("fsdp", 1)  # float32, spread over fsdp
    return {
        "parameters": parameters, "gradients": parameters, "optimiser": 2 * parameters,
        "activations": table.activation_bytes / (plan.batch_shards * experiment.accumulate),
    }  # fmt: skip


def _no_memory(experiment: Experiment, needs: dict[str, float], but: str) -> UserError:
    listed = ", ".join(f"{size / 1e9:.3g} GB of {what}" for what, size in needs.items())
    remat = " --model.remat," if hasattr(experiment.model, "remat") else ""
    return UserError(
        f"Out of memory: a step needs about {listed} on each device, {but}: choose a smaller model, "
        f"lower --batch-size, raise --accumulate,{remat} or split the state by --mesh fsdp=N."
    )


@contextlib.contextmanager
def explained_memory(experiment: Experiment, spec: Any, plan: Plan):
    """A UserError where a device's memory is too small, with what a step needs and what to lower.

    A state that cannot fit is refused at once: XLA's CPU client may wait for ever for
    what it cannot allocate.
    """
    needs, memory = _needs(experiment, spec, plan), plan.memory_bytes
    if memory is not None and sum(needs.values()) - needs["activations"] > memory:
        raise _no_memory(experiment, needs, f"and there are {memory / 1e9:.3g} GB")
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        but = f"and XLA says {str(error).splitlines()[0]!r}"
        raise _no_memory(experiment, needs, but) from error
