"""Text is drawn from the model's own distribution, one token after the other."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import CharacterTokenizer, TextSpec, WordTokenizer
from jaxgen.errors import UserError
from jaxgen.families.language.sampling import sample_text, sample_tokens
from jaxgen.families.sampling import ImageSampling, TextSampling
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.models.gpt.model import GPT

V, WINDOW = 11, 5
CONFIG = modern_gpt(num_layers=1, num_heads=3, model_size=12, hidden_size=13, max_seq_len=WINDOW)
MODEL = GPT(CONFIG, V)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, jnp.zeros((1, WINDOW), jnp.int32), scale=1.0, seed=7)


@pytest.fixture(scope="module")
def apply():
    return jax.jit(MODEL.apply)


@pytest.mark.parametrize("prompt", [[3, 7, 1, 9], [1, 2, 3, 4, 5, 6, 7]])
def test_temperature_0_is_the_loop_that_takes_the_likeliest_token(params, apply, prompt):
    """Token by token on the last WINDOW tokens alone; the window slides for most of the text."""
    tokens = list(prompt)
    for _ in range(13):
        logits = apply({"params": params}, jnp.asarray([tokens[-WINDOW:]], jnp.int32))
        tokens.append(int(np.argmax(logits[0, -1])))
    expected = tokens[len(prompt) :]
    assert len(set(expected)) > 5  # the text is varied
    found = sample_tokens(MODEL, WINDOW, params, KEY, np.asarray(prompt, np.int32), 13, 0.0)
    assert found.tolist() == expected


def test_the_window_is_no_longer_than_the_text(params):
    """A model that could take 2^31 - 1 tokens draws what one does that takes just enough."""
    prompt = np.asarray([3, 7, 1], np.int32)
    texts = [
        sample_tokens(
            GPT(replace(CONFIG, max_seq_len=n), V), n, params, KEY, prompt, 9, 1.0
        ).tolist()
        for n in (12, 2**31 - 1)
    ]
    assert texts[0] == texts[1] and len(set(texts[0])) > 3


@pytest.fixture(scope="module")
def draw_pairs(params):
    """The first two tokens after the prompt 3, 7 for each key."""
    prompt = np.asarray([3, 7], np.int32)

    @jax.jit
    def draw(keys, temperature):
        def pair(key):
            return sample_tokens(MODEL, WINDOW, params, key, prompt, 2, temperature)

        return jax.vmap(pair)(keys)

    return draw


@pytest.mark.parametrize("temperature", [0.7, 3.0])
def test_tokens_are_drawn_from_the_softmax_of_logits_over_temperature(
    params, apply, draw_pairs, temperature
):
    """Frequencies of n first tokens lie within 5 sqrt(p (1 - p) / n) of p, and so do pairs'."""
    n = 20_000

    def softmax(tokens):
        logits = apply({"params": params}, jnp.asarray([tokens], jnp.int32))
        e = np.exp(np.asarray(logits[0, -1], np.float64) / temperature)
        return e / e.sum()

    pairs = np.asarray(draw_pairs(jax.random.split(jax.random.key(1), n), temperature))
    first = softmax([3, 7])
    assert np.sort(first)[-2] > 0.02  # at least two tokens are likely
    second = np.stack([softmax([3, 7, token]) for token in range(V)])
    counts = np.zeros((V, V))
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    for p, found in ((first, counts.sum(1)), (first[:, None] * second, counts)):
        # plus one count, for tokens so rare that a single one is many deviations
        assert np.all(np.abs(found - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1)


@pytest.mark.parametrize(
    ("tokenizer", "prompt", "beginning"),
    [
        (CharacterTokenizer("abcdefghijk"), "head", "head"),
        (
            WordTokenizer(("red", "blue", "one", "two", "to", "be", "or", "no")),
            "To be or no",
            "to be or no ",
        ),
    ],
)
def test_the_file_holds_the_prompt_and_its_continuation(
    params, tmp_path, tokenizer, prompt, beginning
):
    assert tokenizer.vocab_size == V
    sampling = TextSampling(prompt=prompt, length=13, temperature=0.5)
    path = sample_text(
        MODEL, WINDOW, params, KEY, tmp_path / "a.b", TextSpec(tokenizer, 0), sampling
    )
    assert path == tmp_path / "a.b.txt"
    tokens = sample_tokens(MODEL, WINDOW, params, KEY, tokenizer.encode(prompt), 13, 0.5)
    assert path.read_text(encoding="utf-8") == beginning + tokenizer.decode(tokens)


def test_without_a_prompt_the_text_begins_as_the_training_text_did(params, tmp_path):
    tokenizer = CharacterTokenizer("abcdefghijk")
    sampling = TextSampling(length=13, temperature=0.0)
    path = sample_text(
        MODEL, WINDOW, params, KEY, tmp_path / "step", TextSpec(tokenizer, 4), sampling
    )
    tokens = sample_tokens(MODEL, WINDOW, params, KEY, np.asarray([4], np.int32), 13, 0.0)
    assert path.read_text(encoding="utf-8") == "e" + tokenizer.decode(tokens)


@pytest.mark.parametrize(
    ("tokenizer", "prompt", "message"),
    [
        (WordTokenizer(("one",)), " \n ", "has no word in it"),
        (CharacterTokenizer("ab"), "abc", r"'c' \(U\+0063\) is not in the vocabulary"),
    ],
)
def test_a_prompt_that_the_model_cannot_read_is_refused(tmp_path, tokenizer, prompt, message):
    with pytest.raises(UserError, match=message):
        sample_text(
            MODEL,
            WINDOW,
            {},
            KEY,
            tmp_path / "x",
            TextSpec(tokenizer, 0),
            TextSampling(prompt=prompt),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ImageSampling, {"count": 0}, "--sampling.count is 0: give 1 to 10,000."),
        (TextSampling, {"length": 0}, "--sampling.length is 0: give 1 to 1,000,000."),
        (TextSampling, {"temperature": -1.0}, "--sampling.temperature is -1.0: give 0 or more."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(config, values, message):
    with pytest.raises(UserError) as error:
        config(**values)
    assert str(error.value) == message
