"""`jaxgen demo`."""

from dataclasses import dataclass
from pathlib import Path

from jaxgen.cli.parsing import parse
from jaxgen.devices.runtime import prepare_process


@dataclass(frozen=True)
class DemoOptions:
    """Train a GPT, a VAE, a GAN and a diffusion model; compare measured with predicted step times."""

    short: bool = False
    """A tenth of the steps: shows that everything runs, not what it can do."""
    runs: Path = Path("runs")
    """The directory that holds the runs; finished ones are not trained again."""


def demo(args: list[str]) -> None:
    """Train a GPT, a VAE, a GAN and a diffusion model: jaxgen demo [--short]."""
    options = parse(DemoOptions, args, "jaxgen demo")
    prepare_process()
    from jaxgen.book.demo import run_demo

    run_demo(options.runs, short=options.short)
