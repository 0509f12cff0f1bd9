"""Silent corruption: a step executed twice from one state has the same bits, or the machine errs."""

from collections.abc import Callable
from typing import Any

import jax

from jaxgen.errors import UserError
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import changed_leaves, describe
from jaxgen.runs.run import Run, going_on


def run_twice(
    dispatch: Callable, shared: Callable, checkpoints: Checkpoints, state: Any, *arguments: Any
) -> tuple[Any, Any]:
    """As `dispatch(state, *arguments)`, but of two executions, whose states have to be the same.

    `shared(state)` is the state as all processes hold it together. Raises UserError that names the
    leaves where it is not.
    """
    copy = jax.tree.map(
        lambda leaf: leaf.copy(), state
    )  # since a dispatch takes its state's memory
    state, report = dispatch(state, *arguments)
    again, _ = dispatch(copy, *arguments)
    changed = changed_leaves(describe(shared(state), 0), shared(again))
    if changed:
        more = f" and {len(changed) - 3} more leaves" if len(changed) > 3 else ""
        raise UserError(
            f"Step {int(report.step)}, executed twice from one state, differs at "
            f"{', '.join(changed[:3])}{more}, so memory or a processor of this machine is at fault and "
            f"training stopped; the last saved step is {checkpoints.latest}: go on, elsewhere, by "
            f"{going_on(Run(checkpoints.folder.parent))}"
        )
    return state, report
