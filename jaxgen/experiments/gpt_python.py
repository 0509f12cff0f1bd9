"""A character GPT on the Python language reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxgen.costs.gpt import gpt_step
from jaxgen.errors import UserError, check
from jaxgen.experiments.base import Experiment
from jaxgen.models.gpt_config import GPTConfig, modern_gpt
from jaxgen.sampling.config import TextSampling
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.data import Data, TextSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class GPTPython(Experiment):
    """A character GPT on the Python language reference that every CPython carries.

    Paper: Radford et al. 2019 (GPT-2), in the flavour of `modern_gpt`.

    Command: python train.py gpt-python

    Expected: eval/nats_per_character 1.25 ± 0.05 on the last tenth of the text, every character once.
    The text differs a little from one Python version to the next.

    Time: about 120 s on 2 cores.
    """

    kind: ClassVar = "text"
    steps: int = 1200
    batch_size: int = 16
    data: str = "python-reference"
    seq_len: int = 64
    """T, tokens in a training window."""
    tokenizer: Literal["characters", "bytes", "words"] = "characters"
    """What a token is."""
    model: GPTConfig = field(default_factory=modern_gpt)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            learning_rate=3e-3,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=100,
            schedule="cosine",
            decay_steps=1200,
        )
    )
    sampling: TextSampling = field(default_factory=TextSampling)
    steps_per_dispatch: int = 10

    def __post_init__(self):
        super().__post_init__()
        check(self, "seq_len", lambda x: x >= 1, "1 or more")
        if self.seq_len > self.model.max_seq_len:
            raise UserError(
                f"--seq-len {self.seq_len} is longer than the model's longest sequence, "
                f"--model.max-seq-len {self.model.max_seq_len}: lower one or raise the other."
            )

    def load(self) -> Data:
        """The text, cut into windows of seq_len tokens."""
        from jaxgen.data import load

        return load(self.data, kind="text", tokenizer=self.tokenizer, seq_len=self.seq_len)

    def build(self, spec: TextSpec) -> Task:
        """A GPT with next-token cross-entropy."""
        import jax
        import jax.numpy as jnp

        from jaxgen.evaluation.language import make_language_evaluation
        from jaxgen.models.gpt import GPT, MODEL_AXES
        from jaxgen.objectives.language import make_language_loss
        from jaxgen.sampling.language import prompt_tokens, sample_text
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import init_state
        from jaxgen.training.step import make_step
        from jaxgen.training.task import Task

        prompt_tokens(
            spec, self.sampling
        )  # a prompt that cannot be read is refused before training
        model = GPT(self.model, spec.vocab_size)
        optimizer = make_optimizer(self.optimizer)

        def init(key):
            init_key, state_key = jax.random.split(key)
            tokens = jnp.zeros((1, self.seq_len), jnp.int32)
            params = model.init(init_key, tokens)["params"]
            ema = self.ema_decay is not None
            return init_state(params, optimizer.init(params), state_key, ema=ema)

        def sample(params, key, path):
            return sample_text(model, params, key, path, spec, self.sampling)

        step = make_step(make_language_loss(model), optimizer, **self.step_options)
        evaluate = make_language_evaluation(model)
        return Task(init, step, evaluate, sample, MODEL_AXES, best="eval/loss")

    def costs(self, spec: TextSpec):
        """What one training step costs, row by row."""
        return gpt_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, seq_len=self.seq_len, vocab_size=spec.vocab_size,
            ema=self.ema_decay is not None,
        )  # fmt: skip
