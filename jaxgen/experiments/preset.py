"""What an experiment's file holds: a named point of a family, with what to expect of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxgen.families.base import Experiment


@dataclass(frozen=True)
class Expected:
    """A held-out metric that a run with the preset's fields reaches, give or take."""

    value: float
    tolerance: float


@dataclass(frozen=True)
class Preset:
    """One experiment; its name is that of its file, `vae_digits.py` is `vae-digits`.

    Attributes:
      summary: one line. papers: author and year, and what they stand for.
      experiment: every field. expected: of `eval/...` metrics at the last step.
      minutes: on 2 cores; None: meant for an accelerator, and not run here.
      source: where the expected values come from. notes: what else there is to say.
    """

    summary: str
    papers: tuple[str, ...]
    experiment: Experiment
    expected: Mapping[str, Expected] = field(default_factory=dict)
    minutes: float | None = None
    source: str = ""
    notes: str = ""

    def describe(self, name: str) -> str:
        """All of it as text, for --help."""
        parts = [self.summary, f"Papers: {'; '.join(self.papers)}."]
        if self.notes:
            parts.append(self.notes)
        parts.append(f"Command: python train.py {name}")
        if self.expected:
            metrics = ", ".join(
                f"{metric} {each.value:g} ± {each.tolerance:g}"
                for metric, each in self.expected.items()
            )
            parts.append(f"Expected: {metrics}{f' ({self.source})' if self.source else ''}.")
        parts.append(f"Time: {self.time}.")
        return "\n\n".join(parts)

    @property
    def time(self) -> str:
        """How long it takes, in words."""
        if self.minutes is None:
            return "for an accelerator"
        seconds = round(60 * self.minutes)
        return (
            f"about {seconds} s on 2 cores"
            if seconds < 180
            else f"about {self.minutes:g} min on 2 cores"
        )
