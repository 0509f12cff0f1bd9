"""Text from a language model, token after token, in one compiled loop.

A transformer's context is full after `window` tokens. Then the older half of it is forgotten, and what
is left is read anew: so each token's context is known from its place in the text alone, a cached model
says the same as one that reads its context again for every token, and forgetting costs a pass in every
window / 2 tokens. A recurrent model's context is never full.

In the catalogue: `lm.sampling`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxgen.equations.sampling import sampling_log_probs
from jaxgen.families.language.module import CachedLanguageModel


class Settings(NamedTuple):
    """How tokens are drawn: those of `sampling_log_probs`, and when a text ends.

    Attributes:
      stops: a text ends with any of these sequences of tokens.
      slide: forget the older half of a full context; else the text ends there.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    stops: tuple[tuple[int, ...], ...] = ()
    slide: bool = True

    def log_probs(self, logits: Float[Array, "*B V"], seen: Any) -> Float[Array, "*B V"]:
        """Of each token, under these settings."""
        return sampling_log_probs(
            logits, self.temperature, top_k=self.top_k, top_p=self.top_p,
            repetition_penalty=self.repetition_penalty,
            seen=None if self.repetition_penalty == 1.0 else seen,
        )  # fmt: skip


class Drawn(NamedTuple):
    """What was drawn behind each prompt; L tokens at most.

    Attributes:
      tokens: 0 where nothing was drawn. log_probs: of each under the settings, in nats; 0 there.
      mask: True where a token was drawn, a stop sequence's included.
    """

    tokens: Int[Array, "B L"]
    log_probs: Float[Array, "B L"]
    mask: Bool[Array, "B L"]


class Decoding(NamedTuple):
    """Texts under way: all that the loop carries."""

    drawn: Drawn
    count: Int[Array, ""]  # tokens that each text has been offered
    done: Bool[Array, " B"]
    logits: Float[Array, "B V"]  # of the next token
    cache: Any
    window: Int[Array, "B W"]  # the tokens in the context
    filled: Int[Array, " B"]  # how many there are
    seen: Bool[Array, "B V"]  # which tokens prompt and text have


def draw_tokens(
    model: CachedLanguageModel,
    params: Any,
    keys: Any,
    prompts: list[np.ndarray],
    max_tokens: int,
    settings: Settings,
    window: int | None = None,
) -> Drawn:
    """Continue each prompt by up to max_tokens tokens.

    Args:
      keys: (B,), one for each prompt: a text depends on its own key and prompt, not on its batch.
      prompts: arrays of tokens, one or more each, of any lengths.
      window: the longest context that the model takes; None: any.
    """
    state = begin(model, params, prompts, max_tokens, window)
    return advance(model, params, keys, state, jnp.int32(max_tokens), settings).drawn


def begin(
    model: CachedLanguageModel,
    params: Any,
    prompts: list[np.ndarray],
    max_tokens: int,
    window: int | None = None,
) -> Decoding:
    """The texts before their first token: of each prompt is read what the window holds."""
    lengths = np.array([len(prompt) for prompt in prompts], np.int32)
    longest = int(lengths.max()) + max_tokens
    width = longest if window is None else min(window, longest)
    padded = np.zeros((len(prompts), lengths.max()), np.int32)
    for row, prompt in zip(padded, prompts, strict=True):
        row[: len(prompt)] = prompt
    return _begin(model, params, jnp.asarray(padded), jnp.asarray(lengths), max_tokens, width)


@partial(jax.jit, static_argnums=(0, 4, 5))
def _begin(
    model: CachedLanguageModel, params, prompts, lengths, max_tokens: int, width: int
) -> Decoding:
    (B, P), V = prompts.shape, model.vocab_size
    inside = jnp.arange(P)[None] < lengths[:, None]
    tokens = jnp.where(inside, prompts, V)  # padding is no token, and is dropped
    seen = jnp.zeros((B, V), bool).at[jnp.arange(B)[:, None], tokens].set(True, mode="drop")
    filled = jnp.minimum(lengths, width)
    # The last `filled` tokens of each prompt, from the left.
    places = jnp.arange(width)[None] + (lengths - filled)[:, None]
    window = jnp.take_along_axis(prompts, jnp.minimum(places, P - 1), axis=1)
    logits, cache = _read(model, params, window[:, : min(P, width)], filled, width)
    shape = (B, max_tokens)
    drawn = Drawn(jnp.zeros(shape, jnp.int32), jnp.zeros(shape), jnp.zeros(shape, bool))
    done = jnp.zeros(B, bool)
    return Decoding(drawn, jnp.int32(0), done, logits, cache, window, filled, seen)


def _read(model, params, tokens, lengths, width):
    """(the logits behind each row's last token, the cache) of texts read from their beginning."""
    cache = model.empty_cache(len(tokens), width)
    logits, cache = model.apply({"params": params}, tokens, cache=cache, lengths=lengths)
    return jnp.take_along_axis(logits, (lengths - 1)[:, None, None], axis=1)[:, 0], cache


@partial(jax.jit, static_argnums=(0, 5), donate_argnums=3)
def advance(
    model: CachedLanguageModel,
    params,
    keys,
    state: Decoding,
    until: Int[Array, ""],
    settings: Settings,
) -> Decoding:
    """Go on until so many tokens were offered to each text, or all texts have ended.

    Token i of a text is drawn with fold_in(its key, i), so pieces of any size give the same text.
    """

    def goes_on(state):
        return (state.count < until) & ~state.done.all()

    def step(state):
        i, rows = state.count, jnp.arange(len(state.done))
        log_probs = settings.log_probs(state.logits, state.seen)
        token = jax.vmap(jax.random.categorical)(
            jax.vmap(jax.random.fold_in, (0, None))(keys, i), log_probs
        ).astype(jnp.int32)
        live = ~state.done
        own = jnp.where(live, log_probs[rows, token], 0.0)
        drawn = Drawn(
            state.drawn.tokens.at[:, i].set(jnp.where(live, token, 0)),
            state.drawn.log_probs.at[:, i].set(own),
            state.drawn.mask.at[:, i].set(live),
        )
        full = state.filled == state.window.shape[1]
        ends = _stopped(drawn.tokens, i, settings.stops)
        done = state.done | ends | (False if settings.slide else full)
        seen = state.seen.at[rows, token].set(True)
        state = state._replace(drawn=drawn, count=i + 1, done=done, seen=seen)
        return _feed(model, params, state, token, full)

    return lax.while_loop(goes_on, step, state)


def _stopped(tokens, i, stops) -> Array:
    """Which rows end with a stop sequence at place i."""
    ends = jnp.zeros(len(tokens), bool)
    for stop in stops:
        if len(stop) <= tokens.shape[1]:
            last = lax.dynamic_slice_in_dim(tokens, i - len(stop) + 1, len(stop), axis=1)
            ends |= (last == jnp.asarray(stop)[None]).all(1) & (i + 1 >= len(stop))
    return ends


def _feed(model, params, state: Decoding, token, full) -> Decoding:
    """The model reads one more token of each row; where the context is full, its newer half again."""
    width, rows = state.window.shape[1], jnp.arange(len(token))
    kept = max(width // 2, 1) - 1  # beside the new token
    window = jnp.where(full[:, None], jnp.roll(state.window, kept, axis=1), state.window)
    filled = jnp.where(full, kept, state.filled)
    window, filled = window.at[rows, filled].set(token), filled + 1
    one = jnp.ones_like(filled)
    logits, cache = model.apply({"params": params}, token[:, None], cache=state.cache, lengths=one)
    logits = logits[:, 0]

    def read_again(logits, cache):
        fresh = _read(model, params, window, filled, width)

        def choose(new, old):
            return jnp.where(full.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)

        return jax.tree.map(choose, fresh, (logits, cache))

    def as_it_is(logits, cache):
        return logits, cache

    logits, cache = lax.cond((full & ~state.done).any(), read_again, as_it_is, logits, cache)
    return state._replace(logits=logits, cache=cache, window=window, filled=filled)


def text_log_probs(
    model: CachedLanguageModel, params: Any, tokens: Int[Array, "B T"], settings: Settings
) -> Float[Array, "B T-1"]:
    """Of each token but the first, given those before it, under the settings, in one forward pass.

    These are the numbers that `draw_tokens` gives, for texts that the context holds whole; the gradient
    by the parameters is that of the policy which was sampled.
    """
    logits = model.apply({"params": params}, tokens[:, :-1])
    hot = jax.nn.one_hot(tokens[:, :-1], model.vocab_size, dtype=jnp.int32)
    log_probs = settings.log_probs(logits, jnp.cumsum(hot, axis=1) > 0)
    return jnp.take_along_axis(log_probs, tokens[:, 1:, None], axis=-1)[..., 0]
