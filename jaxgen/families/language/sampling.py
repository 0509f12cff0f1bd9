"""Text from a language model: the prompt and what the model goes on with."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxgen.data import TextSpec, Tokenizer
from jaxgen.errors import UserError
from jaxgen.families.language.decoding import Settings, advance, begin
from jaxgen.families.language.module import CachedLanguageModel
from jaxgen.families.sampling import TextSampling

CHUNK = 16  # tokens between two pieces of a stream


class Piece(NamedTuple):
    """A piece of text, how many tokens were drawn for it, and in how many seconds."""

    text: str
    num_tokens: int
    seconds: float


def sample_text(
    model: CachedLanguageModel,
    window: int | None,
    params: Any,
    key: Any,
    path: Path,
    spec: TextSpec,
    sampling: TextSampling,
) -> Path:
    """Continue the prompt and write prompt and continuation as path.txt; returns that path."""
    path = path.with_name(path.name + ".txt")
    pieces = stream_text(model, window, params, key, spec, sampling, chunk=sampling.max_tokens)
    path.write_text("".join(piece.text for piece in pieces), encoding="utf-8")
    return path


def stream_text(
    model: CachedLanguageModel,
    window: int | None,
    params: Any,
    key: Any,
    spec: TextSpec,
    sampling: TextSampling,
    chunk: int = CHUNK,
) -> Iterator[Piece]:
    """The prompt, then its continuation in pieces of `chunk` tokens or less.

    Raises UserError where the prompt or a stop sequence is of no use; see `prompt_tokens`.
    """
    prompt, settings = prompt_tokens(spec, sampling, window), settings_of(spec, sampling)
    writer = _Writer(spec.tokenizer)
    start, most = time.perf_counter(), sampling.max_tokens
    state = begin(model, params, [prompt], most, window)
    yield Piece(writer.write(prompt), 0, time.perf_counter() - start)
    given = 0
    while given < most and not bool(state.done[0]):
        start = time.perf_counter()
        until = min(given + chunk, most)
        state = advance(model, params, key[None], state, jnp.int32(until), settings)
        drawn = np.asarray(state.drawn.tokens[0, given : int(state.count)])
        given = int(state.count)
        yield Piece(writer.write(drawn), len(drawn), time.perf_counter() - start)
    yield Piece(writer.rest(), 0, 0.0)


class _Writer:
    """Tokens to text, piece by piece; what may be half of a character waits for its other half."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer, self._waiting, self._any = tokenizer, np.zeros(0, np.int32), False

    def write(self, tokens: Int[np.ndarray, " n"]) -> str:
        """The text of these tokens, as far as it is certain."""
        self._waiting = np.concatenate([self._waiting, tokens])
        if self._tokenizer.decode(self._waiting).endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        return self.rest()

    def rest(self) -> str:
        """The text of all tokens that wait."""
        if not len(self._waiting):
            return ""
        text = self._tokenizer.decode(self._waiting)
        between = self._tokenizer.separator if self._any else ""
        self._waiting, self._any = self._waiting[:0], True
        return between + text


def settings_of(spec: TextSpec, sampling: TextSampling) -> Settings:
    """How tokens are drawn; stop sequences as tokens.

    Raises UserError where a stop sequence has no token, or one that the tokenizer does not know.
    """
    stops = []
    for stop in sampling.stop:
        tokens = spec.tokenizer.encode(stop)
        if not len(tokens):
            raise UserError(f"The stop sequence {stop!r} has no token in it: leave it out.")
        stops.append(tuple(tokens.tolist()))
    return Settings(
        sampling.temperature, sampling.top_k, None if sampling.top_p == 1 else sampling.top_p,
        sampling.repetition_penalty, tuple(stops), sampling.slide,
    )  # fmt: skip


def prompt_tokens(
    spec: TextSpec, sampling: TextSampling, window: int | None
) -> Int[np.ndarray, " P"]:
    """The tokens that a sample begins with: the first of the training text where no prompt is given.

    Raises UserError where the prompt has no token, one that the tokenizer does not know, or more than
    the window of a model that is not to slide.
    """
    if sampling.prompt is None:
        return np.array([spec.first_token], np.int32)
    prompt = spec.tokenizer.encode(sampling.prompt)
    if not len(prompt):
        what = f"{sampling.prompt!r} has no word in it" if sampling.prompt else "is empty"
        raise UserError(f"The prompt {what}: give one with text, or leave it out.")
    if window is not None and len(prompt) > window and not sampling.slide:
        raise UserError(
            f"The prompt has {len(prompt)} tokens and the model's context {window}: shorten it, or "
            "let the context slide (--slide)."
        )
    return prompt
