"""Codes of images behind texts, one after the other, in one compiled loop with guidance.

With a weight w ≠ 1 each image is two sequences: one behind its text and one behind none, which are given
the same codes. Eq. (3) of `equations/text_to_image.py` says what the next one is drawn from.

In the catalogue: `lm.sampling`, `tokens.guided-logits`.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from jaxgen.equations.sampling import sampling_log_probs
from jaxgen.equations.text_to_image import guided_logits
from jaxgen.families.batches import in_batches
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.families.text_image.objective import NO_WORD

CHUNK = 250
"""Images drawn at once; each depends on its own key and text alone, so that the number is free."""


def make_drawing(
    model: nn.Module, num_words: int, length: int, sampling: PromptSampling
) -> Callable:
    """`draw(params, keys (B,), text (B, T), given (B, G)) -> codes (B, P)`, G ≥ 0 codes being given."""
    guided = sampling.guidance != 1.0

    def next_logits(logits):
        of_codes = logits[:, -1, num_words:]
        if not guided:
            return of_codes
        told, untold = jnp.split(of_codes, 2)
        return guided_logits(told, untold, sampling.guidance)

    def both(tokens):
        return jnp.concatenate([tokens, tokens]) if guided else tokens

    @jax.jit
    def draw_chunk(params, keys, text, given):
        T = text.shape[1]
        start = jnp.concatenate([text, jnp.full_like(text, NO_WORD)]) if guided else text
        tokens = jnp.concatenate([start, both(num_words + given)], axis=1)
        cache = model.empty_cache(tokens.shape[0], T + length)
        logits, cache = model.apply({"params": params}, tokens, cache=cache)

        def step(carry, place):
            logits, cache = carry
            log_probs = sampling_log_probs(
                logits, sampling.temperature, top_k=sampling.top_k,
                top_p=None if sampling.top_p == 1 else sampling.top_p,
            )  # fmt: skip
            own = jax.vmap(jax.random.fold_in, (0, None))(keys, place)
            code = jax.vmap(jax.random.categorical)(own, log_probs).astype(jnp.int32)
            fed = both(num_words + code)[:, None]
            after, cache = model.apply({"params": params}, fed, cache=cache)
            return (next_logits(after), cache), code

        places = jnp.arange(given.shape[1], length)
        _, codes = lax.scan(step, (next_logits(logits), cache), places)
        return jnp.concatenate([given, codes.T], axis=1)

    def draw(
        params: Any, keys: Any, text: Int[Array, "B T"], given: Int[Array, "B G"] | None = None
    ) -> Int[Array, "B P"]:
        if given is None:
            given = jnp.zeros((text.shape[0], 0), jnp.int32)

        def of_places(places):
            return draw_chunk(params, keys[places], text[places], given[places])

        return in_batches(of_places, text.shape[0], CHUNK)

    return draw
