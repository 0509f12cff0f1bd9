"""A language model with next-token cross-entropy (document 003, 5.2)."""

from collections.abc import Callable

import flax.linen as nn

from jaxgen.equations import language
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def make_language_loss(model: nn.Module) -> Callable:
    """`loss(params, extra, batch, keys)`: nats per token of batch['targets'] given batch['tokens'].

    Both are (B, T). The model makes logits (B, T, V) of tokens and keys for its dropout.
    """

    def loss(params, extra, batch, keys):
        logits = model.apply({"params": params}, batch["tokens"], keys)
        nats = language.cross_entropy(logits, batch["targets"])  # (B, T)
        return nats.mean(), Aux({"loss": Mean.of(nats)}, extra)

    return loss
