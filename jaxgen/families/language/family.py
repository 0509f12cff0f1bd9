"""Autoregressive language models on text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, Trained
from jaxgen.families.language.costs import language_step
from jaxgen.families.sampling import TextSampling
from jaxgen.models.base import ModelConfig
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data, TextSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Language(Experiment):
    """A model of each next token of a text, given those before it."""

    kind: ClassVar = "text"
    data: str = "python-reference"
    seq_len: int = 64
    """T, tokens in a training window."""
    tokenizer: Literal["characters", "bytes", "words"] = "characters"
    """What a token is."""
    vocab_size: int | None = None
    """V of a token file that does not tell it; None: GPT-2's 50,257."""
    model: ModelConfig = field(default_factory=GPTConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: TextSampling = field(default_factory=TextSampling)
    steps_per_dispatch: int = 10

    def __post_init__(self):
        super().__post_init__()
        check(self, "seq_len", lambda x: x >= 1, "1 or more")
        check(self, "vocab_size", lambda x: x is None or 2 <= x <= 2**16, "2 to 65536")
        if self.seq_len > self.model.max_seq_len:
            raise UserError(
                f"--seq-len {self.seq_len} is longer than the model's longest sequence, "
                f"--model.max-seq-len {self.model.max_seq_len}: lower one or raise the other."
            )

    def load(self) -> Data:
        """The text, cut into windows of seq_len tokens."""
        from jaxgen.data import load

        return load(
            self.data, kind="text",
            tokenizer=self.tokenizer, seq_len=self.seq_len, vocab_size=self.vocab_size,
        )  # fmt: skip

    def build(self, spec: TextSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A model with next-token cross-entropy; it applies to tokens (B, T), which become logits."""
        import jax.numpy as jnp

        from jaxgen.families.language.evaluation import make_language_evaluation
        from jaxgen.families.language.objective import make_language_loss
        from jaxgen.families.language.sampling import prompt_tokens, sample_text
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        prompt_tokens(spec, self.sampling)  # one that cannot be read is refused before training
        model = self.model.make(spec.vocab_size)

        def init(key):
            return Weights(model.init(key, jnp.zeros((1, self.seq_len), jnp.int32))["params"])

        def sample(weights, key, path):
            window_len = self.model.max_seq_len
            return sample_text(model, window_len, weights.params, key, path, spec, self.sampling)

        return one_player(
            init,
            make_language_loss(model),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_language_evaluation(model),
            sample=sample,
            model_axes=self.model.model_axes,
            best="eval/loss",
            apply=lambda weights, tokens: model.apply({"params": weights.params}, tokens),
        )

    def costs(self, spec: TextSpec) -> Table:
        """What one training step costs, row by row."""
        return language_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, seq_len=self.seq_len, vocab_size=spec.vocab_size,
            ema=self.ema_decay is not None,
        )  # fmt: skip
