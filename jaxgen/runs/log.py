"""Where a run's metrics are kept: metrics.jsonl, TensorBoard events, and a picture of both."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from jaxgen.errors import UserError
from jaxgen.runs.durable import naming, replace_file, write_all
from jaxgen.runs.events import Events
from jaxgen.runs.meter import is_time
from jaxgen.runs.run import Run


class MetricsLog:
    """Appends to metrics.jsonl and the TensorBoard events; lines after `first_step` are dropped.

    A killed run may have logged beyond its last checkpoint: the resumed run logs those steps again.
    """

    def __init__(self, run: Run, first_step: int = 0):
        self.seconds = 0.0
        kept = [line for line in read_metrics(run.metrics) if line["step"] <= first_step]
        if kept:
            self.seconds = kept[-1]["seconds"]
        replace_file(run.metrics, "".join(json.dumps(line) + "\n" for line in kept))
        self._path = run.metrics
        # Without a buffer: what a full disk did not take must not come again when the file is closed.
        self._file = run.metrics.open("ab", buffering=0)
        self._events = Events(run.folder, first_step)

    def write(self, step: int, metrics: Mapping[str, float], seconds: float) -> None:
        """One line, in the kernel's hands when this returns; seconds are those of this process."""
        record = {"step": step, **metrics, "seconds": round(self.seconds + seconds, 3)}
        with naming(self._path):
            write_all(self._file, (json.dumps(record) + "\n").encode())
        self._events.add(step, metrics)

    def show(self, step: int, drawn: Path) -> None:
        """A sample, for those who look at TensorBoard."""
        self._events.show(step, drawn)

    def sync(self) -> None:
        """Return when all lines are on the disk: none of a step that is saved may be lost."""
        with naming(self._path):
            os.fsync(self._file.fileno())

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *error):
        self._file.close()
        self._events.close()


def read_metrics(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl; none where there is no file; a torn last line is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [_record(line, f"{path} in its line {i}") for i, line in enumerate(lines, 1)]


def _record(line: str, place: str) -> dict[str, int | float]:
    """Numbers by name, the step and its seconds among them."""
    with contextlib.suppress(ValueError, RecursionError):
        record = json.loads(line)
        named = isinstance(record, dict) and {"step", "seconds"} <= set(record)
        if named and all(isinstance(value, (int, float)) for value in record.values()):
            return record
    raise UserError(f"{place} does not hold a step's numbers as JSON: take the line out.")


def plot_curves(run: Run) -> Path | None:
    """Draw every metric over the steps, held-out ones beside their training curve, as curves.png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_metrics(run.metrics)
    names = {name.removeprefix("eval/"): None for line in lines for name in line}
    panels = [name for name in names if name != "step" and not is_time(name)]
    if not panels:
        return None
    columns, rows = min(len(panels), 3), -(-len(panels) // 3)
    width, height = 4.5 * columns, 3 * rows
    figure = Figure(figsize=(width, height))
    # In inches, since to have matplotlib find them costs as much as the drawing.
    figure.subplots_adjust(
        left=0.6 / width, right=1 - 0.15 / width, bottom=0.5 / height, top=1 - 0.35 / height,
        wspace=0.2, hspace=0.4,
    )  # fmt: skip
    FigureCanvasAgg(figure)
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        for name, label, style in ((panel, "training", "-"), (f"eval/{panel}", "held out", "o-")):
            points = [(line["step"], line[name]) for line in lines if name in line]
            if points:
                axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1, markersize=3)
        axes.set_title(panel.replace("_", " "), fontsize=9, parse_math=False)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7)
    figure.savefig(run.curves, dpi=100)
    return run.curves
