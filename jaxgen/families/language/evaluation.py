"""Held-out cross-entropy of a language model, every token once.

In the catalogue: `lm.cross-entropy`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.equations import language
from jaxgen.families.language.module import LanguageModel


def make_language_evaluation(
    model: LanguageModel, batch_size: int = 64, *, stateful: bool = False
) -> Callable:
    """`evaluate(weights, dataset) -> metrics`: nats of the held-out text, or of the part to be judged.

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
        num_targets, total = 0, 0.0
        state = model.empty_cache(batch_size, 0) if stateful else None
        batches = dataset.in_stretches if stateful else dataset.side_by_side
        for batch in batches(batch_size):
            nats, state = window_nats(weights.params, **batch, state=state)
            total += float(np.sum(np.asarray(nats), dtype=np.float64))
            num_targets += int(batch["counted"].sum())
        metrics = {"loss": total / num_targets, "perplexity": math.exp(total / num_targets)}
        if dataset.num_characters is not None:
            characters = dataset.num_characters * num_targets / len(dataset.arrays["tokens"])
            metrics["nats_per_character"] = total / characters
            metrics["bits_per_character"] = total / characters / math.log(2)
        return metrics

    return evaluate
