"""The classes that a model is told, and the one that its samples are asked for; no jax at import."""

from typing import Any

from jaxgen.errors import UserError


def num_told(experiment: Any, spec: Any, told: bool, flag: str, *, tells: str) -> int | None:
    """Classes of the data that a model is told; None where it is told none.

    Args:
      told: whether it is told them. flag: what tells it, `--classes`; tells: the flag's part in that.

    Raises UserError where the data has no classes, and where `sampling.label` is none of them.
    """
    wanted = experiment.sampling.label
    if not told:
        if wanted >= 0:
            raise UserError(
                f"--sampling.label {wanted} asks for a class, but the model is told none: leave it out, "
                f"or train one with {flag}."
            )
        return None
    if spec.num_classes is None:
        raise UserError(f"The data of --data {experiment.data} has no labels{tells}.")
    if wanted >= spec.num_classes:
        raise UserError(
            f"--sampling.label {wanted} does not exist: give 0 to {spec.num_classes - 1}, or -1 for all."
        )
    return spec.num_classes


def labels_for(count: int, num_classes: int | None, label: int = -1) -> Any:
    """(count,) times the class asked for, or, for -1, all of them in turn; None without classes."""
    import jax.numpy as jnp

    if not num_classes:
        return None
    return jnp.arange(count) % num_classes if label < 0 else jnp.full(count, label)
