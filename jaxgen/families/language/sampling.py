"""Text from a language model, one token after the other."""

from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from jaxgen.data import TextSpec
from jaxgen.errors import UserError
from jaxgen.families.sampling import TextSampling


@partial(jax.jit, static_argnums=(0, 1, 5))
def sample_tokens(
    model: nn.Module,
    max_seq_len: int,
    params,
    key,
    prompt: Int[Array, " P"],
    length: int,
    temperature: Float[Array, ""] | float,
) -> Int[Array, " length"]:
    """Draw x_{t+1} from softmax(logits_t / temperature), length times; temperature 0 is argmax.

    The model reads the last max_seq_len tokens, the whole of them again for each new one. The window
    is filled from the left, and no longer than the text will be; what lies behind the last token cannot
    be seen by it (causal mask).
    """
    window_len = min(max_seq_len, prompt.size + length)
    prompt = prompt[-window_len:]
    window = jnp.zeros(window_len, jnp.int32).at[: prompt.size].set(prompt)

    def draw(carry, key):
        window, filled = carry
        logits = model.apply({"params": params}, window[None])[0, filled - 1]
        scaled = logits / jnp.where(temperature > 0, temperature, 1.0)
        drawn = jax.random.categorical(key, scaled)
        token = jnp.where(temperature > 0, drawn, jnp.argmax(logits)).astype(jnp.int32)
        full = filled == window_len
        window = jnp.where(full, jnp.roll(window, -1), window)
        position = jnp.where(full, window_len - 1, filled)
        return (window.at[position].set(token), position + 1), token

    start = (window, jnp.int32(prompt.size))
    return lax.scan(draw, start, jax.random.split(key, length))[1]


def sample_text(
    model: nn.Module,
    max_seq_len: int,
    params,
    key,
    path: Path,
    spec: TextSpec,
    sampling: TextSampling,
) -> Path:
    """Continue the prompt and write prompt and continuation as path.txt; returns that path."""
    prompt = prompt_tokens(spec, sampling)
    tokens = sample_tokens(
        model, max_seq_len, params, key, prompt, sampling.length, sampling.temperature
    )
    path = path.with_name(path.name + ".txt")
    path.write_text(spec.tokenizer.decode(np.concatenate([prompt, tokens])), encoding="utf-8")
    return path


def prompt_tokens(spec: TextSpec, sampling: TextSampling) -> Int[np.ndarray, " P"]:
    """The tokens that a sample begins with.

    Raises UserError where the prompt has no token or one that the tokenizer does not know.
    """
    if not sampling.prompt:
        return np.array([spec.first_token], np.int32)
    prompt = spec.tokenizer.encode(sampling.prompt)
    if not len(prompt):
        raise UserError(
            f"The prompt {sampling.prompt!r} has no word in it: give one or leave it out."
        )
    return prompt
