"""Drawing in one loop against plain loops that read each context anew, and against one forward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.families.language.decoding import Settings, advance, begin, draw_tokens, text_log_probs
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.model import GPT

V, WINDOW, LENGTH = 11, 6, 13
SIZES = {"num_layers": 2, "num_heads": 3, "model_size": 12, "hidden_size": 13}
SMALL = SIZES | {"num_layers": 1}
MODELS = {
    "gpt, classic": GPT(GPTConfig(max_seq_len=WINDOW, **SIZES), V),
    "gpt, modern": GPT(modern_gpt(max_seq_len=WINDOW, **SIZES), V),
}
PROMPTS = [[3, 7, 1, 9], [5], [1, 2, 3, 4, 5, 6, 7, 8, 10], [2, 0]]
KEYS = jax.random.split(jax.random.key(0), len(PROMPTS))


def arrays(prompts):
    return [np.asarray(prompt, np.int32) for prompt in prompts]


def window_of(model):
    return model.config.max_seq_len


@pytest.fixture(scope="module")
def models(random_params):
    """name -> (model, parameters, compiled logits of one sequence)."""

    def make(model):
        params = random_params(model, jnp.zeros((1, 3), jnp.int32), scale=1.0, seed=10)
        return model, params, jax.jit(lambda tokens: model.apply({"params": params}, tokens))

    return {name: make(model) for name, model in MODELS.items()}


def context(prompt_length, text, window):
    """What the model reads before the next token: a full context has lost its older half."""
    filled = prompt_length if window is None else min(prompt_length, window)
    for _ in range(len(text) - prompt_length):
        filled = filled + 1 if window is None or filled < window else max(window // 2, 1)
    return text[len(text) - filled :]


def next_logits(apply, tokens, width=LENGTH + 9):
    """Padded behind, which a causal model does not see: one shape, one program."""
    padded = np.zeros((1, width), np.int32)
    padded[0, : len(tokens)] = tokens
    return np.asarray(apply(jnp.asarray(padded))[0, len(tokens) - 1], np.float64)


def log_softmax(logits):
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


@pytest.mark.parametrize(
    ("name", "temperature"), [("gpt, classic", 0.0), ("gpt, modern", 0.0), ("gpt, modern", 1.0)]
)
def test_cached_is_uncached_at_every_position(models, name, temperature):
    """Prompts of four lengths in one batch, one longer than the window, which slides several times."""
    model, params, apply = models[name]
    window = window_of(model)
    settings = Settings(temperature)
    found = draw_tokens(model, params, KEYS, arrays(PROMPTS), LENGTH, settings, window)
    assert np.asarray(found.mask).all()
    width, variety = window or LENGTH + 9, set()
    for row, prompt in enumerate(PROMPTS):
        text = list(prompt)
        for token, log_prob in zip(found.tokens[row], found.log_probs[row], strict=True):
            logits = next_logits(apply, context(len(prompt), text, window), width)
            if temperature:
                assert abs(log_softmax(logits)[token] - log_prob) < 1e-4
            else:
                assert token == np.argmax(logits) and log_prob == 0
            text.append(int(token))
        variety |= set(text[len(prompt) :])
    assert len(variety) > 2  # the texts are not one token again and again


def test_a_text_does_not_depend_on_its_batch_or_on_pieces(models):
    model, params, _ = models["gpt, classic"]
    together = draw_tokens(
        model, params, KEYS, arrays(PROMPTS), LENGTH, Settings(0.9), window_of(model)
    )
    for row in (2,):
        alone = draw_tokens(
            model, params, KEYS[row : row + 1], arrays(PROMPTS[row : row + 1]), LENGTH,
            Settings(0.9), window_of(model),
        )  # fmt: skip
        assert alone.tokens[0].tolist() == together.tokens[row].tolist()
    state = begin(model, params, arrays(PROMPTS), LENGTH, window_of(model))
    for until in (1, 6, LENGTH):
        state = advance(model, params, KEYS, state, jnp.int32(until), Settings(0.9))
        assert int(state.count) == until
    np.testing.assert_array_equal(state.drawn.tokens, together.tokens)
    np.testing.assert_array_equal(state.drawn.log_probs, together.log_probs)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(1.3, top_p=0.8, repetition_penalty=1.4),
        Settings(2.0, top_k=7, top_p=0.9, repetition_penalty=1.1),
    ],
)
def test_a_forward_pass_gives_the_log_probs_that_were_drawn_with(random_params, settings):
    """And so the gradient of what was sampled: those of the loop and of one pass are one policy's."""
    model = GPT(modern_gpt(max_seq_len=31, **SMALL), V)
    params = random_params(model, jnp.zeros((1, 3), jnp.int32), scale=0.8)
    found = draw_tokens(model, params, KEYS, arrays(PROMPTS), LENGTH, settings, 31)
    for row, prompt in enumerate(PROMPTS):
        text = jnp.concatenate([jnp.asarray(prompt), found.tokens[row]])[None]
        scored = jax.jit(lambda text: text_log_probs(model, params, text, settings))
        whole = scored(text)[0, len(prompt) - 1 :]
        np.testing.assert_allclose(found.log_probs[row], whole, atol=1e-4)
        assert np.all(np.asarray(whole) <= 0) and np.asarray(whole).min() < -0.1


def test_tokens_are_drawn_from_that_distribution(random_params):
    """Frequencies of first tokens lie within 5 sqrt(p (1 - p) / n) of p, for each of two prompts."""
    n, model = 4000, GPT(modern_gpt(max_seq_len=WINDOW, **SMALL), V)
    params = random_params(model, jnp.zeros((1, 3), jnp.int32), scale=0.8)
    settings = Settings(0.8, top_k=6)
    prompts = [[3, 7], [4]]
    both = arrays(prompts) * (n // 2)
    keys = jax.random.split(jax.random.key(5), n)
    found = np.asarray(draw_tokens(model, params, keys, both, 1, settings, WINDOW).tokens[:, 0])
    for which, prompt in enumerate(prompts):
        logits = jax.jit(model.apply)({"params": params}, jnp.asarray([prompt]))[0, -1]
        p = np.exp(np.asarray(settings.log_probs(logits, None), np.float64))
        assert np.sort(p)[-2] > 0.05 and (p == 0).sum() == V - 6
        counts, m = np.bincount(found[which::2], minlength=V), n / 2
        assert np.all(np.abs(counts - m * p) <= 5 * np.sqrt(m * p * (1 - p)))


def test_a_text_ends_with_a_stop_sequence_and_the_others_go_on(models):
    """Greedy texts are known: stop at a pair that the first has, and nothing behind it counts."""
    model, params, _ = models["gpt, modern"]
    free = draw_tokens(model, params, KEYS, arrays(PROMPTS), LENGTH, Settings(0.0), WINDOW)
    stop = tuple(free.tokens[0, 4:6].tolist())
    settings = Settings(0.0, stops=((V - 1,) * 5, stop))
    found = draw_tokens(model, params, KEYS, arrays(PROMPTS), LENGTH, settings, WINDOW)
    for row in range(len(PROMPTS)):
        tokens = free.tokens[row].tolist()
        ends = [i + 2 for i in range(LENGTH - 1) if tuple(tokens[i : i + 2]) == stop]
        length = min([*ends, LENGTH])
        assert found.mask[row].tolist() == [True] * length + [False] * (LENGTH - length)
        assert found.tokens[row].tolist() == tokens[:length] + [0] * (LENGTH - length)
    assert found.mask[0].sum() <= 6
    too_long = Settings(0.0, stops=(tuple(range(LENGTH + 1)),))  # longer than any text
    again = draw_tokens(model, params, KEYS, arrays(PROMPTS), LENGTH, too_long, WINDOW)
    np.testing.assert_array_equal(again.tokens, free.tokens)


def test_without_sliding_a_text_ends_where_the_context_is_full(models):
    """The token after a full context is still drawn: it needs no place."""
    model, params, _ = models["gpt, classic"]
    prompts = [[3, 7, 1, 9], [5], [2, 0]]
    free = draw_tokens(model, params, KEYS[:3], arrays(prompts), LENGTH, Settings(0.9), WINDOW)
    settings = Settings(0.9, slide=False)
    found = draw_tokens(model, params, KEYS[:3], arrays(prompts), LENGTH, settings, WINDOW)
    for row, prompt in enumerate(prompts):
        length = WINDOW - len(prompt) + 1
        assert found.mask[row].sum() == length
        assert found.tokens[row, :length].tolist() == free.tokens[row, :length].tolist()
