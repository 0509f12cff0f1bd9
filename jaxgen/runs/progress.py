"""What a person sees of a run: a bar on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Mapping

from jaxgen.interrupts import bar as hidden_cursor

LEAST_BAR, MOST_BAR = 5, 12  # columns
TIME = 7  # columns of 0:12:34
COMPILING = "compiling"


class Progress:
    """Shows step, time left, metrics and rates; a context, so that the bar ends with the run.

    `judged` is the held-out metric that is shown whatever its name; what was found of the held-out
    data stays until it is found anew. A narrow terminal leaves out what comes last.
    """

    def __init__(
        self, first_step: int, steps: int, *, shown: bool = True, judged: str | None = None
    ):
        self._shows, self._judged = shown, judged
        self._steps = steps
        self._first_step = first_step
        self._since: tuple[int, float] | None = None  # the first line, and when it came
        self._held_out: dict[str, float] = {}
        self._contexts = contextlib.ExitStack()
        self._bar = _make_bar() if shown and sys.stdout.isatty() else None

    def __enter__(self) -> "Progress":
        if self._bar:
            self._contexts.enter_context(hidden_cursor())
            self._bar.start()
            self._task = self._bar.add_task(
                "", total=self._steps, completed=self._first_step, text=self._fitted([COMPILING])
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

    def show(
        self, step: int, metrics: Mapping[str, float], speed: Mapping[str, float] | None = None
    ) -> None:
        """The metrics of a logged step, and the speed of training since the one before.

        The time left counts all that a person waits for since the first line, evaluation and saving too.
        """
        wanted = {name: value for name, value in metrics.items() if self._is_shown(name)}
        self._held_out |= {n: value for n, value in wanted.items() if n.startswith("eval/")}
        trained = {n: value for n, value in wanted.items() if not n.startswith("eval/")}
        numbers = trained | (self._held_out if self._bar else wanted)
        shown = [f"{_short(name)} {value:.4g}" for name, value in numbers.items()]
        shown += [_speed(name, value) for name, value in (speed or {}).items()]
        shown += [
            f"{_short(name)} {value:.3g}" for name, value in metrics.items() if _is_rate(name)
        ]
        if self._bar:
            self._bar.update(self._task, completed=step, text=self._fitted(shown))
        elif self._shows:
            shown += self._left(step)
            with contextlib.suppress(BrokenPipeError):  # a run goes on when nobody looks any more
                print(f"step {step}/{self._steps}", *shown, sep="  ", flush=True)

    def _left(self, step: int) -> list[str]:
        """The time to the end; not in the first line, whose own time is mostly the compiler's."""
        now = time.perf_counter()
        if self._since is None:
            self._since = step, now
            return []
        of_a_step = (now - self._since[1]) / (step - self._since[0])
        return [f"{(self._steps - step) * of_a_step:.0f} s left"]

    def say(self, line: str) -> None:
        """A line for a person, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(line)
        elif self._shows:
            with contextlib.suppress(BrokenPipeError):
                print(line, flush=True)

    def _is_shown(self, name: str) -> bool:
        return "loss" in name or name == self._judged

    def _fitted(self, pieces: list[str]) -> str:
        """As many of the pieces as there is room for behind step, bar and time left."""
        assert self._bar
        left = self._bar.console.width - _columns_before(self._steps, LEAST_BAR)
        fitted: list[str] = []
        for piece in pieces:
            left -= 2 + len(piece)
            if left < 0:
                break
            fitted.append(piece)
        return "  ".join(fitted)


def _columns_before(steps: int, bar: int) -> int:
    return len("step ") + 2 * len(str(steps)) + 2 + bar + 1 + TIME


def _make_bar():
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    text = TextColumn("{task.fields[text]}")
    width = Bar().console.width
    bar = BarColumn(bar_width=MOST_BAR if width >= 100 else LEAST_BAR)
    return Bar(TextColumn("step"), MofNCompleteColumn(), bar, TimeRemainingColumn(), text)


def _is_rate(name: str) -> bool:
    return name.endswith("learning_rate")


def _speed(name: str, value: float) -> str:
    if name == "steps_per_second":
        return f"{value:.3g} steps/s" if value < 1000 else f"{value:.0f} steps/s"
    if name == "mfu":
        return f"MFU {value:.0%}"
    if name == "model_flops_per_second":
        for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G")):
            if value >= size:
                return f"{value / size:.3g} {prefix}FLOP/s"
        return f"{value / 1e6:.3g} MFLOP/s"
    return f"{value:,.0f} {name.removesuffix('_per_second').replace('_', ' ')}/s"


def _short(name: str) -> str:
    return name.replace("discriminator", "D").replace("generator", "G")
