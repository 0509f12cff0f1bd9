"""From a prompt to a file and to a stream: the text, what it costs in tokens, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import ByteTokenizer, CharacterTokenizer, TextSpec, WordTokenizer
from jaxgen.errors import UserError
from jaxgen.families.language.decoding import Settings, draw_tokens
from jaxgen.families.language.sampling import (
    CHUNK,
    _Writer,
    prompt_tokens,
    sample_text,
    settings_of,
    stream_text,
)
from jaxgen.families.sampling import ImageSampling, TextSampling
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.models.gpt.model import GPT

V, WINDOW, LENGTH = 11, 5, CHUNK + 3
CONFIG = modern_gpt(num_layers=1, num_heads=3, model_size=12, hidden_size=13, max_seq_len=WINDOW)
MODEL = GPT(CONFIG, V)
KEY = jax.random.key(0)
LETTERS = CharacterTokenizer("abcdefghijk")
WORDS = WordTokenizer(("red", "blue", "one", "two", "to", "be", "or", "no"))


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, jnp.zeros((1, WINDOW), jnp.int32), scale=1.0, seed=7)


@pytest.fixture(scope="module")
def drawn(params):
    """What the loop draws behind 'head', of letters, or its first four words."""
    prompt = np.asarray([7, 4, 0, 3], np.int32)
    settings = Settings(0.5)
    return draw_tokens(MODEL, params, KEY[None], [prompt], LENGTH, settings, WINDOW).tokens[0]


@pytest.mark.parametrize(
    ("tokenizer", "prompt", "beginning"),
    [(LETTERS, "head", "head"), (WORDS, "to two <PAD> red", "to two <UNK> red ")],
)
def test_the_file_and_the_stream_hold_the_prompt_and_its_continuation(
    params, drawn, tmp_path, tokenizer, prompt, beginning
):
    assert tokenizer.vocab_size == V
    sampling = TextSampling(prompt=prompt, max_tokens=LENGTH, temperature=0.5)
    spec = TextSpec(tokenizer, 0)
    path = sample_text(MODEL, WINDOW, params, KEY, tmp_path / "a.b", spec, sampling)
    assert path == tmp_path / "a.b.txt"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(beginning)
    if tokenizer is LETTERS:
        assert text == beginning + tokenizer.decode(np.asarray(drawn))
    pieces = list(stream_text(MODEL, WINDOW, params, KEY, spec, sampling))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.num_tokens for piece in pieces] == [0, CHUNK, LENGTH - CHUNK, 0]
    assert all(piece.seconds > 0 for piece in pieces[:-1])


def test_a_stream_ends_with_its_stop_sequence(params, drawn):
    """Two letters that the text has; what was drawn behind them in the same piece is not shown."""
    text = LETTERS.decode(np.asarray(drawn))
    stop = text[5:7]
    sampling = TextSampling(
        prompt="head", max_tokens=LENGTH, temperature=0.5, stop=(stop, "kkkkkk")
    )
    pieces = stream_text(MODEL, WINDOW, params, KEY, TextSpec(LETTERS, 0), sampling)
    assert "".join(p.text for p in pieces) == "head" + text[: text.index(stop) + 2]


def test_a_character_is_written_when_all_its_bytes_are_there():
    tokens, writer = ByteTokenizer().encode("a床b前"), _Writer(ByteTokenizer())
    assert [writer.write(tokens[i : i + 1]) for i in range(len(tokens))] == [
        "a", "", "", "床", "b", "", "", "前",
    ]  # fmt: skip
    assert writer.write(tokens[1:3]) == "" and writer.rest() == "\ufffd" and writer.rest() == ""
    words = _Writer(WORDS)
    assert words.write(WORDS.encode("to be")) + words.write(WORDS.encode("or no")) == "to be or no"


def test_without_a_prompt_the_text_begins_as_the_training_text_did():
    assert prompt_tokens(TextSpec(LETTERS, 4), TextSampling(), WINDOW).tolist() == [4]


@pytest.mark.parametrize(
    ("tokenizer", "fields", "message"),
    [
        (WORDS, {"prompt": " \n "}, "The prompt ' .n ' has no word in it: give one"),
        (LETTERS, {"prompt": ""}, "The prompt is empty: give one with text, or leave it out"),
        (LETTERS, {"prompt": "abz"}, r"'z' \(U\+007A\) is not in the vocabulary"),
        (LETTERS, {"prompt": "abcdef", "slide": False}, "has 6 tokens and the model's context 5"),
        (LETTERS, {"stop": ("",)}, "The stop sequence '' has no token in it"),
        (LETTERS, {"stop": ("z",)}, "is not in the vocabulary"),
    ],
)
def test_what_the_model_cannot_read_is_refused(tokenizer, fields, message):
    spec, sampling = TextSpec(tokenizer, 0), TextSampling(**fields)
    with pytest.raises(UserError, match=message):
        prompt_tokens(spec, sampling, WINDOW)
        settings_of(spec, sampling)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ImageSampling, {"count": 0}, "count is 0: give 1 to 10,000."),
        (TextSampling, {"max_tokens": 0}, "max-tokens is 0: give 1 to 1,000,000."),
        (
            TextSampling,
            {"temperature": -1.0},
            "temperature is -1.0: give a finite number of 0 or more.",
        ),
        (TextSampling, {"top_k": 0}, "top-k is 0: give 1 or more, or None."),
        (TextSampling, {"top_p": 0.0}, "top-p is 0.0: give a number above 0, up to 1."),
        (TextSampling, {"top_p": 1.1}, "top-p is 1.1: give a number above 0, up to 1."),
        (
            TextSampling,
            {"repetition_penalty": 0.5},
            "repetition-penalty is 0.5: give a finite number of 1 or more.",
        ),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(config, values, message):
    with pytest.raises(UserError) as error:
        config(**values)
    assert str(error.value) == f"--sampling.{message}"
