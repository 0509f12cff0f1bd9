"""Where results go, asked before the work."""

from pathlib import Path

from jaxgen.errors import UserError

RESULTS = Path("benchmarks/results")  # what is kept with the code, on purpose
MEASURED = Path("runs/benchmarks")  # what a run of them writes, which git ignores


def check_output(path: Path) -> None:
    """Raise UserError where a JSON file cannot be written, before an hour of work rather than after."""
    if path.suffix != ".json" or path.is_dir():
        raise UserError(f"The output {path} is no JSON file: give a name that ends in .json.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.touch()
        if is_new:  # what fails later leaves nothing half-written
            path.unlink()
    except OSError as error:
        raise UserError(f"The output {path} cannot be written: {error.strerror}.") from None
