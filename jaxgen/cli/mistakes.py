"""`jaxgen mistakes`."""

from dataclasses import dataclass
from pathlib import Path

from jaxgen.cli.parsing import parse
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import check


@dataclass(frozen=True)
class MistakesOptions:
    """Train GANs of the ring by the documents' mistakes and by their corrections, as one picture."""

    steps: int = 2000
    """Steps of each of the six."""
    seed: int = 0
    """Of all of them."""
    runs: Path = Path("runs")
    """The directory that holds the runs and the picture; finished ones are not trained again."""

    def __post_init__(self):
        check(self, "steps", lambda x: 1 <= x < 2**31 - 1, "1 or more, less than 2^31 - 1")
        check(self, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")


def mistakes(args: list[str]) -> None:
    """Show the documents' mistakes at work on a ring of points: jaxgen mistakes [--steps N]."""
    options = parse(MistakesOptions, args, "jaxgen mistakes")
    prepare_process()
    from jaxgen.book.mistakes import run_mistakes

    path = options.runs / f"mistakes-{options.steps}-{options.seed}"
    picture, shown = run_mistakes(options.runs, path, steps=options.steps, seed=options.seed)
    for name, found in shown.items():
        print(f"{name:<45} {found['modes']:.0f} modes, {found['high_quality']:.1%} of high quality")
    print(picture)
