"""Held-out cross-entropy of a language model, every token once."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.equations import language


def make_language_evaluation(
    model: nn.Module, batch_size: int = 64, *, stateful: bool = False
) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: nats of the held-out text.

    The text is cut into windows of seq_len tokens side by side, so each token but the first is
    predicted exactly once, from the tokens before it in its window. Stateful, it is cut into batch_size
    stretches, and the windows of each follow on one another: a token is predicted from all before it
    in its stretch.

    `loss` is in nats per token, `perplexity` its exponential; `nats_per_character` divides the same sum
    by the characters that the tokens stand for, which compares tokenizers, and `bits_per_character` is
    that in bits (both are left out where the tokens do not give the text back).
    """

    @jax.jit
    def window_nats(params, tokens, targets, counted, state):
        if stateful:
            logits, state = model.apply({"params": params}, tokens, cache=state)
        else:
            logits = model.apply({"params": params}, tokens)
        nats = language.cross_entropy(logits, targets)
        return jnp.sum(jnp.where(counted, nats, 0.0), axis=1), state

    def evaluate(weights, dataset) -> dict[str, float]:
        tokens, seq_len = dataset.arrays["tokens"], dataset.seq_len
        num_targets = len(tokens) - 1
        rows = -(-num_targets // (seq_len * batch_size)) * batch_size

        def windows(part):
            padded = np.concatenate([part, np.zeros(rows * seq_len - num_targets, part.dtype)])
            if stateful:
                return padded.reshape(batch_size, -1, seq_len).swapaxes(0, 1)
            return padded.reshape(-1, batch_size, seq_len)

        total = 0.0
        state = model.empty_cache(batch_size, 0) if stateful else None
        counted = np.ones(num_targets, bool)
        for batch in zip(*map(windows, (tokens[:-1], tokens[1:], counted)), strict=True):
            nats, state = window_nats(weights.params, *batch, state)
            total += float(np.sum(np.asarray(nats), dtype=np.float64))
        metrics = {"loss": total / num_targets, "perplexity": math.exp(total / num_targets)}
        if dataset.num_characters is not None:
            characters = dataset.num_characters * num_targets / len(tokens)
            metrics["nats_per_character"] = total / characters
            metrics["bits_per_character"] = total / characters / math.log(2)
        return metrics

    return evaluate
