"""Text to image where the answer is known: a table in the place of a transformer, colours for codes."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.captions.scenes import LANGUAGES
from jaxgen.errors import UserError
from jaxgen.families.base import Trained
from jaxgen.families.discrete_vae.family import CaptionedVAE
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.families.text_image.decoding import make_drawing
from jaxgen.families.text_image.family import TextToImage
from jaxgen.families.text_image.objective import part_nats
from jaxgen.families.text_image.reading import best_of, caption_score, read_attributes
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig
from jaxgen.training.state import Weights

WORDS, CODES, T, P = 5, 7, 3, 4
CONFIG = GPTConfig(num_layers=2, num_heads=2, model_size=12, hidden_size=16, max_seq_len=T + P)
TEXT = jnp.array([[1, 4, 0], [2, 2, 3], [0, 0, 0]])


@pytest.fixture(scope="module")
def model_and_params(random_params):
    model = CONFIG.make(WORDS + CODES)
    return model, random_params(model, jnp.zeros((1, T + P), jnp.int32))


@pytest.fixture(scope="module")
def logits_of(model_and_params):
    """One pass over tokens (B, any length); every length by one program, since no place sees a later."""
    model, params = model_and_params
    apply = jax.jit(lambda tokens: model.apply({"params": params}, tokens))

    def logits(tokens):
        whole = jnp.pad(tokens, ((0, 0), (0, T + P - tokens.shape[1])))
        return np.asarray(apply(whole), np.float64)[:, : tokens.shape[1]]

    return logits


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def test_nats_are_those_of_the_logits_of_each_kind(model_and_params, logits_of):
    """Each token from the logits of the one before it, words among words and codes among codes."""
    model, params = model_and_params
    codes = jnp.array([[0, 6, 2, 2], [1, 1, 5, 0], [3, 4, 5, 6]])
    of_text, of_image = jax.jit(lambda: part_nats(model, params, TEXT, codes, WORDS))()
    tokens = jnp.concatenate([TEXT, WORDS + codes], 1)
    logits = logits_of(tokens)
    for b in range(3):
        for t in range(1, T):
            p = softmax(logits[b, t - 1, :WORDS])
            assert float(of_text[b, t - 1]) == pytest.approx(-np.log(p[tokens[b, t]]), rel=1e-4)
        for t in range(T, T + P):
            p = softmax(logits[b, t - 1, WORDS:])
            expected = -np.log(p[tokens[b, t] - WORDS])
            assert float(of_image[b, t - T]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_the_likeliest_codes_are_those_of_whole_passes(model_and_params, logits_of, weight):
    """With a cache or without: greedy codes, each from a pass over all before it, told and untold."""
    model, params = model_and_params
    draw = make_drawing(model, WORDS, P, PromptSampling(guidance=weight, temperature=0.0))
    keys = jax.random.split(jax.random.key(0), 3)
    found = np.asarray(draw(params, keys, TEXT))
    codes = np.zeros((3, 0), np.int32)
    for _ in range(P):
        told, untold = (
            logits_of(jnp.concatenate([text, jnp.asarray(WORDS + codes)], 1))[:, -1, WORDS:]
            for text in (TEXT, jnp.zeros_like(TEXT))
        )
        likeliest = (untold + weight * (told - untold)).argmax(-1)
        codes = np.concatenate([codes, likeliest[:, None].astype(np.int32)], 1)
    np.testing.assert_array_equal(found, codes)
    # What is given stays, and what follows is what would have followed.
    np.testing.assert_array_equal(draw(params, keys, TEXT, jnp.asarray(found[:, :2])), found)


def test_codes_are_drawn_from_the_guided_distribution(model_and_params, logits_of):
    """2,000 images of one text: the share of each first code, within four standard errors."""
    model, params = model_and_params
    count, weight, temperature = 2000, 2.5, 0.7
    sampling = PromptSampling(guidance=weight, temperature=temperature)
    draw = make_drawing(model, WORDS, P, sampling)
    text = jnp.tile(TEXT[:1], (count, 1))
    first = np.asarray(draw(params, jax.random.split(jax.random.key(2), count), text))[:, 0]
    told, untold = (logits_of(each)[0, -1, WORDS:] for each in (TEXT, jnp.zeros_like(TEXT)))
    known = softmax((untold + weight * (told - untold)) / temperature)
    assert known.max() < 0.9  # not one code alone
    error = np.sqrt(known * (1 - known) / count)
    assert (abs(np.bincount(first, minlength=CODES) / count - known) < 4 * error + 1e-3).all()


def test_an_image_depends_on_its_own_key_and_text_alone(model_and_params):
    model, params = model_and_params
    draw = make_drawing(model, WORDS, P, PromptSampling(guidance=1.5))
    keys = jax.random.split(jax.random.key(1), 3)
    found, order = np.asarray(draw(params, keys, TEXT)), np.array([2, 0, 1])
    np.testing.assert_array_equal(draw(params, keys[order], TEXT[order]), found[order])


def test_scores_and_readings_by_hand():
    """Two attributes of 3 and 2 values, side by side; the likeliest reading counts; -1 asks nothing."""
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), np.array([[0.4, 0.6], [0.9, 0.1]])
    logits = np.log(np.concatenate(p, axis=1)) + 3.0
    np.testing.assert_array_equal(read_attributes(logits, (3, 2)), [[0, 1], [2, 0]])
    readings = np.array([[0, 1], [1, -1]])
    expected = np.log([0.7 * 0.6, 0.3])
    np.testing.assert_allclose(caption_score(logits, (3, 2), readings), expected, rtol=1e-9)
    images = np.arange(4).reshape(2, 2, 1, 1, 1)

    def judge(images):
        return None, np.log(np.concatenate(p, axis=1))[np.ravel(images) % 2]

    wanted = [np.array([[2, 0]]), np.array([[0, 1]])]
    np.testing.assert_array_equal(best_of(judge, images, (3, 2), wanted).ravel(), [1, 2])


@pytest.fixture(scope="module")
def trained():
    """A discrete autoencoder that has learnt nothing, and a judge that reads the digit off a corner."""
    spec = load("captioned-digits", kind="captions").spec
    codes = CaptionedVAE(model=GridAutoencoderConfig((4,), 0, 4, CODES, 3)).build(spec)
    weights = jax.jit(codes.init)(jax.random.key(0)).weights
    book = {"counts": jnp.ones(CODES), "sums": jax.random.normal(jax.random.key(1), (CODES, 3))}
    weights = weights._replace(extra=weights.extra | book)

    def apply(weights, image, method=None):
        value = jnp.round(image[:, 0, 0, 0] * 9).astype(jnp.int32)
        return 9.0 * jax.nn.one_hot(value, 10)

    judge: object = SimpleNamespace(apply=apply)
    return {"codes": Trained(codes, weights, spec), "judge": Trained(judge, Weights({}), spec)}


EXPERIMENT = TextToImage(
    judge_samples=6, model=replace(CONFIG, max_seq_len=19, num_layers=1), batch_size=4
)


@pytest.mark.first
def test_it_is_judged_by_what_the_captions_ask(trained):
    """The judge calls real digits by a corner: as often right as a corner is the class, and no more."""
    data = EXPERIMENT.load()
    task = EXPERIMENT.build(data.spec, trained)
    part = data.test.sampled(5)
    found = task.evaluate(jax.jit(task.init)(jax.random.key(0)).weights, part)
    batch = part.take(part.arrays, np.arange(6) % 5)
    corner = np.round(batch["image"][:, 0, 0, 0] * 9)
    right = np.mean(corner == batch["attributes"][:, 0])
    assert found["judge_on_real[]"] == pytest.approx(right)
    assert 0 <= found["worst_class[]"] <= found["as_asked[]"] <= 1
    mean = 0.125 * found["text_nats"] + 0.875 * found["image_nats"]
    assert found["loss"] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": CONFIG}, "are 19 tokens, and --model.max-seq-len is 7: give 19."),
        (
            {"sampling": PromptSampling(prompt="a seventh")},
            "The prompt has the word 'seventh', which no caption had: use a, the, digit, handwritten",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, message, trained):
    data = EXPERIMENT.load()
    with pytest.raises(UserError) as error:
        replace(EXPERIMENT, **change).build(data.spec, trained)
    assert message in str(error.value)


def test_runs_that_are_of_no_use_are_refused(trained):
    spec = EXPERIMENT.load().spec
    with pytest.raises(UserError, match=r"codes\.run is empty"):
        EXPERIMENT.build(spec, {})
    with pytest.raises(UserError, match="is no run of a discrete autoencoder"):
        EXPERIMENT.build(spec, {"codes": trained["judge"]})
    with pytest.raises(UserError, match="knows images of 8 x 8 x 1, and the data has 32 x 32 x 3"):
        EXPERIMENT.build(replace(spec, height=32, width=32, channels=3), trained)
    shapes = replace(spec, language="shapes")
    with pytest.raises(UserError, match="tells 10 classes apart, and the captions of --data"):
        replace(EXPERIMENT, model=replace(CONFIG, max_seq_len=26)).build(shapes, trained)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"guidance": -1.0}, "--sampling.guidance is -1.0: give 0 or more, below 1000."),
        ({"candidates": 0}, "--sampling.candidates is 0: give 1 to 1000."),
        (
            {"temperature": float("inf")},
            "--sampling.temperature is inf: give a finite number of 0 or more.",
        ),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        PromptSampling(**values)
    assert str(error.value) == message
    with pytest.raises(
        UserError, match="guidance 2 needs a model that was trained with dropped texts"
    ):
        TextToImage(text_dropout=0.0)


def test_the_language_s_words_fit_the_vocabulary():
    for language in LANGUAGES.values():
        assert len(set(language.words)) == len(language.words)
