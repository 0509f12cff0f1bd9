"""Held-out cross-entropy of a language model, every token once."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.equations import language


def make_language_evaluation(model: nn.Module, batch_size: int = 64) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: nats of the held-out text, or of the part to be judged.

    The text is cut into windows of seq_len tokens side by side, so each token but the first is
    predicted exactly once, from the tokens before it in its window. `loss` is in nats per token,
    `nats_per_character` divides the same sum by the characters that the tokens stand for, which
    compares tokenizers (left out where the tokens do not give the text back).
    """

    @jax.jit
    def window_nats(params, tokens, targets, counted):
        nats = language.cross_entropy(model.apply({"params": params}, tokens), targets)
        return jnp.sum(jnp.where(counted, nats, 0.0), axis=1)

    def evaluate(weights, dataset) -> dict[str, float]:
        nats, num_targets = [], 0
        for batch in dataset.side_by_side(batch_size):
            nats.append(np.asarray(window_nats(weights.params, **batch)))
            num_targets += int(batch["counted"].sum())
        total = float(np.sum(nats, dtype=np.float64))
        metrics = {"loss": total / num_targets}
        if dataset.num_characters is not None:
            characters = dataset.num_characters * num_targets / len(dataset.arrays["tokens"])
            metrics["nats_per_character"] = total / characters
        return metrics

    return evaluate
