"""The sizes of a recurrent language model; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any

from jaxgen.errors import check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class GRUConfig(ModelConfig):
    """An embedding, one GRU, a dense head; the defaults are the sizes of document 003, section 5.2."""

    embedding_size: int = 256
    """D, of a token's vector."""
    hidden_size: int = 512
    """H, of the state."""

    def __post_init__(self):
        for name in ("embedding_size", "hidden_size"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")

    max_seq_len = None
    """It reads texts of any length."""
    recurrent = True
    """It can go on from the state that an earlier text has left."""

    def make(self, vocab_size: int) -> Any:
        """The module for so many different tokens."""
        from jaxgen.models.gru.model import GRULanguageModel

        return GRULanguageModel(self, vocab_size)

    @property
    def width(self) -> int:
        """H."""
        return self.hidden_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "GRUConfig":
        """H = width and D = width // 2; of layers there is one, whatever the depth."""
        if width is None:
            return self
        return replace(self, hidden_size=width, embedding_size=max(width // 2, 1))

    def costs(self, **sizes: int) -> Any:
        """The rows of batch_size sequences of seq_len tokens out of vocab_size, up to the logits."""
        from jaxgen.models.gru.costs import gru_rows

        return gru_rows(self, **sizes)
