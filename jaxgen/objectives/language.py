"""A language model with next-token cross-entropy (document 003, 5.2)."""

from collections.abc import Callable

from jaxgen.equations import language
from jaxgen.models.gpt import GPT
from jaxgen.training.metrics import Mean


def make_language_loss(model: GPT) -> Callable:
    """`loss(params, batch, keys)`: nats per token of batch['targets'] given batch['tokens'], (B, T)."""

    def loss(params, batch, keys):
        logits = model.apply({"params": params}, batch["tokens"], keys)
        nats = language.cross_entropy(logits, batch["targets"])  # (B, T)
        return nats.mean(), {"loss": Mean.of(nats)}

    return loss
