"""Autoregressive language models on text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, Trained
from jaxgen.families.language.costs import language_step
from jaxgen.families.sampling import TextSampling
from jaxgen.models.base import ModelConfig
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data, Order, TextSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Language(Experiment):
    """A model of each next token of a text, given those before it."""

    kind: ClassVar = "text"
    data: str = "python-reference"
    seq_len: int = 64
    """T, tokens in a training window."""
    tokenizer: str = "characters"
    """What a token is: characters, bytes, words; bpe:SIZE learns so many pieces from the training text;
    gpt2:FOLDER reads GPT-2's vocab.bpe and encoder.json."""
    stateful: bool = False
    """Read the text in order, each window from the state that the one before has left; for a recurrent
    model."""
    model: ModelConfig = field(default_factory=GPTConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: TextSampling = field(default_factory=TextSampling)
    steps_per_dispatch: int = 10

    def __post_init__(self):
        super().__post_init__()
        check(self, "seq_len", lambda x: x >= 1, "1 or more")
        if self.stateful and not self.model.recurrent:
            raise UserError("--stateful needs a model with a state to carry: leave it out.")
        if self.model.max_seq_len is not None and self.seq_len > self.model.max_seq_len:
            raise UserError(
                f"--seq-len {self.seq_len} is longer than the model's longest sequence, "
                f"--model.max-seq-len {self.model.max_seq_len}: lower one or raise the other."
            )

    def load(self) -> Data:
        """The text, cut into windows of seq_len tokens."""
        from jaxgen.data import load

        data = load(self.data, kind="text", tokenizer=self.tokenizer, seq_len=self.seq_len)
        train: Any = data.train
        return replace(data, train=replace(train, tells_start=True)) if self.stateful else data

    def order(self, data: Data) -> Order:
        """Every epoch another permutation of the windows; of a stateful model, the text in order."""
        from jaxgen.data import InOrder

        if not self.stateful:
            return super().order(data)
        return InOrder(data.train.num_examples, self.examples_per_step, self.seq_len)

    def build(self, spec: TextSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A model with next-token cross-entropy; it applies to tokens (B, T), which become logits."""
        import jax.numpy as jnp

        from jaxgen.families.language.evaluation import make_language_evaluation
        from jaxgen.families.language.objective import (
            empty_extra,
            make_language_loss,
            make_stateful_loss,
        )
        from jaxgen.families.language.sampling import (
            prompt_tokens,
            sample_text,
            settings_of,
            stream_text,
        )
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        model, window = self.model.make(spec.vocab_size), self.model.max_seq_len
        # What cannot be read is refused before training.
        prompt_tokens(spec, self.sampling, window)
        settings_of(spec, self.sampling)

        def init(key):
            params = model.init(key, jnp.zeros((1, self.seq_len), jnp.int32))["params"]
            return Weights(params, empty_extra(model, self.batch_size) if self.stateful else None)

        def sample(weights, key, path):
            return sample_text(model, window, weights.params, key, path, spec, self.sampling)

        def stream(weights, key):
            return stream_text(model, window, weights.params, key, spec, self.sampling)

        return one_player(
            init,
            make_stateful_loss(model) if self.stateful else make_language_loss(model),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_language_evaluation(model, stateful=self.stateful),
            sample=sample,
            stream=stream,
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
