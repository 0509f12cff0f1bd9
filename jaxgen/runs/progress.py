"""What a person sees of a run: a bar on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Mapping

from jaxgen.interrupts import bar as hidden_cursor


class Progress:
    """Shows step, metrics, steps/s and time left; a context, so that the bar ends with the run."""

    def __init__(self, first_step: int, steps: int, *, shown: bool = True):
        self._shows = shown
        self._steps = steps
        self._shown = first_step, time.perf_counter()
        self._contexts = contextlib.ExitStack()
        self._bar = _make_bar() if shown and sys.stdout.isatty() else None

    def __enter__(self) -> "Progress":
        if self._bar:
            self._contexts.enter_context(hidden_cursor())
            self._bar.start()
            self._task = self._bar.add_task(
                "", total=self._steps, completed=self._shown[0], text=""
            )
        return self

    def __exit__(self, *error):
        if self._bar:
            self._bar.stop()
        self._contexts.close()

    def advance(self, step: int) -> None:
        """The device has been given the steps up to this one."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """The metrics of a logged step, and the rate since the one before."""
        last, self._shown = self._shown, (step, time.perf_counter())
        rate = (step - last[0]) / (self._shown[1] - last[1])
        shown = [f"{_short(name)} {value:.4g}" for name, value in metrics.items() if "loss" in name]
        text = "  ".join([*shown, f"{rate:.1f} steps/s"])
        if self._bar:
            self._bar.update(self._task, completed=step, text=text)
        elif self._shows:
            left = (self._steps - step) / rate
            with contextlib.suppress(BrokenPipeError):  # a run goes on when nobody looks any more
                print(f"step {step}/{self._steps}  {text}  {left:.0f} s left", flush=True)

    def say(self, line: str) -> None:
        """A line for a person, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(line)
        elif self._shows:
            print(line, flush=True)


def _make_bar():
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    text = TextColumn("{task.fields[text]}")
    bar = BarColumn(bar_width=12)  # all of it fits into 80 columns
    return Bar(TextColumn("step"), MofNCompleteColumn(), bar, text, TimeRemainingColumn())


def _short(name: str) -> str:
    return name.replace("discriminator", "D").replace("generator", "G")
