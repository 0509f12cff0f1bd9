"""`--profile N`: some steps of a run recorded, for TensorBoard's profiler and for Perfetto."""

import sys
from pathlib import Path
from typing import Any

import jax

FOLDER = "profile"


class Profile:
    """Records `steps` steps behind the first dispatch, whose compilation would hide them; 0: none.

    Whole dispatches are recorded, as many as it takes. A context, so that a recording ends with the run.
    """

    def __init__(self, folder: Path, steps: int):
        self._folder, self._left, self._runs = folder / FOLDER, steps, False

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *error):
        if self._runs:
            self._stop()
            told = (
                f"a trace of fewer steps than asked, since the run has ended, is in {self._folder}"
            )
            print(told, file=sys.stderr)

    def after(self, count: int, report: Any) -> Path | None:
        """The device was given a dispatch of `count` steps; returns the folder once it is whole."""
        if not self._left:
            return None
        jax.block_until_ready(report)
        if not self._runs:
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
            self._runs = True
            return None
        self._left = max(0, self._left - count)
        if self._left:
            return None
        self._stop()
        return self._folder

    def _stop(self) -> None:
        if self._runs:
            self._runs, self._left = False, 0
            jax.profiler.stop_trace()
