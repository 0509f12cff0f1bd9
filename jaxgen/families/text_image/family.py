"""Images from text, as DALL-E has it: a transformer over the text's tokens, then the image's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, FromRun, Trained
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.models.base import ModelConfig
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class TextToImage(Experiment):
    """A transformer of captions and of the codes of their images; it draws what a caption says."""

    kind: ClassVar[str] = "captions"
    data: str = "captioned-digits"
    """Where the data comes from: captioned-digits, shapes, shapes-all."""
    codes: FromRun = field(default_factory=lambda: FromRun("vqvae-digits"))
    """The run of a discrete autoencoder (vqvae-digits, ...) whose codes are an image's tokens."""
    judge: FromRun = field(default_factory=lambda: FromRun(""))
    """A run of a classifier that judges and ranks what is drawn; none where the name is empty."""
    judge_samples: int = 1000
    """Images that are drawn to be judged."""
    text_dropout: float = 0.1
    """Share of captions that are dropped while training, for guidance."""
    text_weight: float = 0.125
    """Of the text's loss; the image's has the rest of 1."""
    model: ModelConfig = field(default_factory=GPTConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: PromptSampling = field(default_factory=PromptSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "judge_samples", lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000")
        for name in ("text_dropout", "text_weight"):
            check(self, name, lambda x: 0 <= x <= 1, "0 to 1")
        if self.sampling.guidance != 1.0 and not self.text_dropout:
            raise UserError(
                f"--sampling.guidance {self.sampling.guidance:g} needs a model that was trained with "
                "dropped texts: leave it at 1, or train one with --text-dropout 0.1."
            )

    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """A transformer with its loss; it applies to tokens (B, T), which become logits.

        Tokens of words come first, and behind them those of codes.
        """
        from jaxgen.families.text_image.build import build_task

        if trained is None or "codes" not in trained:
            raise UserError(
                "--codes.run is empty, and an image's tokens are the codes of a discrete autoencoder: "
                "name the run of one, as python train.py vqvae-digits trains it."
            )
        return build_task(self, spec, trained)
