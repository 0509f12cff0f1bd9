"""What the commands on a saved run share: naming it and its checkpoint."""

import os
from pathlib import Path

from jaxgen.errors import UserError
from jaxgen.families.base import names_a_checkpoint

__all__ = ["names_a_checkpoint", "require_run", "run_folder"]


def require_run(args: list[str], prog: str) -> None:
    """Raise a UserError where no run is named first."""
    if not args or args[0].startswith("-"):
        raise UserError(f"Name a run directory first: {prog} RUN.")


def run_folder(run: str) -> Path:
    """A run directory as it was printed, or the name of one under ./runs."""
    folder = Path(run)
    exists = os.path.exists(run)  # noqa: PTH110  (pathlib's fails on a name that is too long)
    return folder if exists or folder.name != run else Path("runs") / run
