"""Autoregressive language models on text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, FromRun, Trained
from jaxgen.families.language.config import LoRAConfig
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
    vocab_size: int | None = None
    """V of a token file that does not tell it; None: GPT-2's 50,257."""
    documents: Literal["joined", "marked", "apart"] = "joined"
    """Of a text with several: nothing between them; <EOS> behind each; or, besides, a window learns of
    the document that it begins in alone."""
    separator: str = "\n\n"
    """What lies between two documents of a text; rows of a table are documents without it."""
    stateful: bool = False
    """Read the text in order, each window from the state that the one before has left; for a recurrent
    model."""
    loss_chunk: int | None = None
    """Tokens whose logits are held at once, for large vocabularies: less memory, the same loss."""
    start: FromRun = field(default_factory=lambda: FromRun(""))
    """A run of the same sizes and vocabulary that this one fine-tunes, whole or by --lora.rank. It has
    to stay as it is; --init-from copies weights instead, some or all, and of any kind of model."""
    lora: LoRAConfig = field(default_factory=LoRAConfig)
    model: ModelConfig = field(default_factory=GPTConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: TextSampling = field(default_factory=TextSampling)
    steps_per_dispatch: int = 10

    def __post_init__(self):
        super().__post_init__()
        check(self, "seq_len", lambda x: x >= 1, "1 or more")
        check(self, "vocab_size", lambda x: x is None or 2 <= x <= 2**16, "2 to 65536")
        check(
            self, "loss_chunk", lambda x: x is None or (x >= 1 and not self.model.recurrent),
            "1 or more, or None, which a recurrent model needs",
        )  # fmt: skip
        if self.stateful and not self.model.recurrent:
            raise UserError("--stateful needs a model with a state to carry: leave it out.")
        if self.stateful and self.documents == "apart":
            raise UserError(
                "--stateful reads one document after the other: give --documents marked."
            )
        if self.lora.rank and (self.stateful or not self.start.run):
            raise UserError(
                "--lora.rank corrects a trained model without a state: name it by --start.run, or leave "
                "the rank out."
            )
        longest: Any = self.model.max_seq_len
        if longest is not None and self.seq_len > longest:
            raise UserError(
                f"--seq-len {self.seq_len} is longer than the model's longest sequence, "
                f"--model.max-seq-len {longest}: lower one or raise the other."
            )

    def load(self) -> Data:
        """The text, cut into windows of seq_len tokens."""
        from jaxgen.data import load

        data = load(
            self.data, kind="text",
            tokenizer=self.tokenizer, seq_len=self.seq_len, vocab_size=self.vocab_size,
            documents=self.documents, separator=self.separator,
        )  # fmt: skip
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
        from jaxgen.families.language.build import build_task

        return build_task(self, spec, (trained or {}).get("start"))

    def costs(self, spec: TextSpec) -> Table:
        """What one training step costs, row by row."""
        return language_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, seq_len=self.seq_len, vocab_size=spec.vocab_size,
            ema=self.ema_decay is not None, chunked=self.loss_chunk is not None,
        )  # fmt: skip
