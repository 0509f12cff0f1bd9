"""Each evaluation against a plain loop over the same data, and against values known beforehand."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg, special, stats

from jaxgen.data import ByteTokenizer, CharacterTokenizer, Images, Tokens
from jaxgen.data.images import dataset as image_dataset
from jaxgen.data.points.mixtures import Mixture
from jaxgen.data.text import dataset as text_dataset
from jaxgen.experiments.registry import find_preset
from jaxgen.families.gan.evaluation import make_gan_evaluation, make_point_evaluation
from jaxgen.families.language.evaluation import make_language_evaluation
from jaxgen.families.vae import evaluation as vae_evaluation
from jaxgen.families.vae.evaluation import make_vae_evaluation
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.gpt.model import GPT
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.state import Weights

T = 5
SMALL = GPTConfig(num_layers=1, num_heads=3, model_size=12, hidden_size=13, max_seq_len=7)
SHAPE = (2, 3, 1)


@pytest.fixture(scope="module")
def images():
    grey = np.random.default_rng(0).random((29, *SHAPE), np.float32)
    return Images({"image": grey}, 1)


@pytest.fixture(scope="module")
def language(random_params):
    """Parameters, the evaluation in batches of two windows, and the compiled model."""
    model = GPT(SMALL, 11)
    params = random_params(model, jnp.zeros((1, T), jnp.int32))
    return params, make_language_evaluation(model, batch_size=2), jax.jit(model.apply)


@pytest.mark.parametrize("num_tokens", [31, 34, 41])
def test_every_token_is_predicted_once_from_its_window(language, num_tokens):
    """30 targets are 3 whole batches of 10; 33 end in a ragged window, 40 in a whole batch again."""
    params, evaluate, apply = language
    tokens = np.random.default_rng(num_tokens).integers(0, 11, num_tokens, dtype=np.int32)
    contexts, last = [], []
    for i in range(1, num_tokens):
        window = tokens[(i - 1) // T * T : i]
        contexts.append(np.pad(window, (0, T - len(window)), constant_values=10))
        last.append(len(window) - 1)
    contexts += [contexts[0]] * (40 - len(contexts))  # one shape, one program
    logits = apply({"params": params}, np.stack(contexts))[: num_tokens - 1]
    p = np.exp(np.asarray(logits, np.float64)[np.arange(num_tokens - 1), last])
    nats = -np.log(p[np.arange(num_tokens - 1), tokens[1:]] / p.sum(-1))

    found = evaluate(Weights(params), Tokens({"tokens": tokens}, T, num_characters=3 * num_tokens))
    expected = {
        "loss": nats.mean(), "perplexity": math.exp(nats.mean()),
        "nats_per_character": nats.mean() / 3, "bits_per_character": nats.mean() / 3 / math.log(2),
    }  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "nats", "tokens_per_character"),
    [("bytes", math.log(256), 3), ("characters", math.log(10), 1)],
)
def test_nats_per_character_of_a_model_that_knows_nothing(kind, nats, tokens_per_character):
    """With all parameters 0, p = 1 / V. Each of these ten characters is three bytes in UTF-8."""
    text = "道可道非常道名可名非常名無名天地之始"
    tokenizer = ByteTokenizer() if kind == "bytes" else CharacterTokenizer.of(text)
    ids = tokenizer.encode(text)
    assert len(ids) == tokens_per_character * len(text)
    model = GPT(SMALL, tokenizer.vocab_size)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, T), jnp.int32))["params"]
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    found = make_language_evaluation(model)(Weights(params), Tokens({"tokens": ids}, T, len(text)))
    expected = {
        "loss": nats, "perplexity": math.exp(nats),
        "nats_per_character": nats * tokens_per_character,
        "bits_per_character": nats * tokens_per_character / math.log(2),
    }  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("binarise", ["threshold", "draw"])
def test_the_vae_evaluation_is_a_plain_loop_over_images_and_draws(
    random_params, images, binarise, monkeypatch
):
    """In NumPy float64 but for the noise, whose keys are fixed: a second call says the same."""
    Z, draws, K = 4, 3, 5
    model = MLPVAEConfig((7,), Z).make(SHAPE)
    params = random_params(model, jnp.zeros((1, *SHAPE)))
    monkeypatch.setattr(vae_evaluation, "CHUNK", 12)  # two whole ones of 29 images, and one of five
    evaluate = make_vae_evaluation(model, binarise, pixels="any", num_draws=draws, num_samples=K)
    found = evaluate(Weights(params), images)
    assert evaluate(Weights(params), images) == found

    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def mlp(x, layers):
        hidden = np.maximum(x @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"], 0)
        return hidden @ layers["Dense_1"]["kernel"] + layers["Dense_1"]["bias"]

    grey = images.arrays["image"]
    if binarise == "draw":
        keys = jax.random.split(jax.random.key(1), len(grey))
        white = np.stack([jax.random.bernoulli(key, x) for key, x in zip(keys, grey, strict=True)])
    else:
        white = grey > 0.5
    noises = [
        np.asarray(jax.random.normal(key, (len(grey), Z)), np.float64)
        for key in jax.random.split(jax.random.key(0), draws)
    ]
    reconstruction, kl, weighted = [], [], []
    for i, x in enumerate(white.reshape(len(grey), -1)):
        mean, log_variance = np.split(mlp(x.astype(np.float64), wide["encoder"]), 2)
        kl.append(0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance))
        for noise in noises:
            p = special.expit(mlp(mean + np.exp(log_variance / 2) * noise[i], wide["decoder"]))
            reconstruction.append(-np.sum(np.log(np.where(x, p, 1 - p))))
        own = jax.random.fold_in(jax.random.key(2), i)
        eps = [np.asarray(jax.random.normal(jax.random.fold_in(own, k), (Z,))) for k in range(K)]
        z = mean + np.exp(log_variance / 2) * np.asarray(eps, np.float64)
        p = special.expit(mlp(z, wide["decoder"]))
        prior = stats.norm.logpdf(z).sum(1)
        posterior = stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(1)
        weights = np.log(np.where(x, p, 1 - p)).sum(1) + prior - posterior
        weighted.append(np.log(K) - special.logsumexp(weights))
    parts = {"reconstruction_nats": np.mean(reconstruction), "kl_nats": np.mean(kl)}
    loss = sum(parts.values())
    named = {"loss": loss, "negative_elbo[any]": loss, "iwae_5[any]": np.mean(weighted)}
    assert found == pytest.approx(named | parts, rel=1e-5)


def test_the_gan_evaluation_is_a_count_and_a_distance(random_params, images):
    """Half of the verdicts on 29 held-out images, half on 37 generated ones, dropout off."""
    config = MLPGANConfig(4, (7,), (11,), discriminator_dropout=0.5)
    generator, discriminator = config.make(SHAPE)
    params = {
        "generator": random_params(generator, jnp.zeros((1, 4))),
        "discriminator": random_params(discriminator, jnp.zeros((1, *SHAPE)), seed=8),
    }
    last = params["discriminator"]["MLP_0"]["Dense_1"]
    logits = discriminator.apply(
        {"params": params["discriminator"]}, jnp.asarray(images.arrays["image"])
    )
    last["bias"] -= jnp.mean(logits)  # so that it errs on both sides

    def apply(weights, noise):
        return generator.apply({"params": weights.params["generator"]}, noise)

    def judge(weights, image):
        return discriminator.apply({"params": weights.params["discriminator"]}, image)

    evaluate = make_gan_evaluation(apply, judge, latent_size=4, num_samples=37)
    found = evaluate(Weights(params), images)

    def mlp(x, layers):
        hidden = np.maximum(x @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"], 0)
        return hidden @ layers["Dense_1"]["kernel"] + layers["Dense_1"]["bias"]

    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    noise = np.asarray(jax.random.normal(jax.random.key(0), (37, 4)), np.float64)
    fake = special.expit(mlp(noise, wide["generator"]["MLP_0"]))
    real = images.arrays["image"].reshape(29, 6).astype(np.float64)
    judge = wide["discriminator"]["MLP_0"]
    right = np.sum(mlp(real, judge) > 0), np.sum(mlp(fake, judge) < 0)
    assert 0 < right[0] < 29 and 0 < right[1] < 37  # some verdicts are wrong, some right
    C1, C2 = np.cov(real.T), np.cov(fake.T)
    means = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    expected = {
        "pixel_frechet": means + np.trace(C1 + C2 - 2 * linalg.sqrtm(C1 @ C2).real),
        "discriminator_accuracy": right[0] / 58 + right[1] / 74,
    }
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_large_held_out_part_is_sampled_at_equal_distances_and_a_small_one_judged_whole(
    monkeypatch,
):
    """The default, --eval-batches, and that the sample is the same at each call."""
    experiment = find_preset("vae-digits").experiment
    data = experiment.load()
    assert experiment.held_out(data) is data.test
    assert replace(experiment, eval_batches=3).held_out(data) is data.test  # 384 of 360
    part = replace(experiment, batch_size=12, eval_batches=6).held_out(data)
    np.testing.assert_array_equal(part.arrays["image"], data.test.arrays["image"][::5])
    np.testing.assert_array_equal(part.arrays["label"], data.test.arrays["label"][::5])
    monkeypatch.setattr(image_dataset, "JUDGED_PIXELS", 64 * 40)
    part = experiment.held_out(data)
    np.testing.assert_array_equal(part.arrays["image"], data.test.arrays["image"][::9])

    gpt = find_preset("gpt-python").experiment
    text = gpt.load()
    assert gpt.held_out(text) is text.test
    assert replace(gpt, batch_size=3, eval_batches=2).held_out(text).judged == 6
    monkeypatch.setattr(text_dataset, "JUDGED_TOKENS", 64 * 5)
    assert gpt.held_out(text).judged == 5


def test_the_loss_of_a_sample_of_windows_is_theirs():
    """Five windows at equal distances, judged alone and by the sample, in batches that leave room."""
    tokens = np.random.default_rng(0).integers(7, size=1003).astype(np.int32)
    model = GPTConfig(1, 2, 8, 12, 10).make(7)
    params = model.init(jax.random.key(0), jnp.zeros((1, 10), jnp.int32))["params"]
    whole = Tokens({"tokens": tokens}, 10, num_characters=None)
    loss = make_language_evaluation(model, batch_size=2)(Weights(params), whole.sampled(5))["loss"]
    alone = make_language_evaluation(model, batch_size=1)
    starts = [0, 200, 400, 600, 800]
    losses = [
        alone(Weights(params), Tokens({"tokens": tokens[s : s + 11]}, 10, None))["loss"]
        for s in starts
    ]
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-6)


def test_the_point_evaluation_of_known_players():
    """A generator that copies its noise on two of four modes, and a judge that knows nothing: −log 4."""
    mixture = Mixture(((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)), 0.2)

    def apply(weights, noise):
        return jnp.stack([jnp.sign(noise[:, 0]), jnp.zeros(noise.shape[0])], axis=1)

    def judge(weights, packs):
        return weights.params["logit"] * jnp.ones(packs.shape[0])

    dataset = mixture.draw(500, seed=0)
    for logit, pack in ((0.0, 1), (2.0, 3)):
        evaluate = make_point_evaluation(apply, judge, 2, mixture, 301, pack=pack)
        found = evaluate(Weights({"logit": jnp.float32(logit)}), dataset)
        value = special.log_expit(logit) + special.log_expit(-logit)
        assert found["value"] == pytest.approx(value, rel=1e-5)
        assert found["modes"] == 2 and found["high_quality"] == 1
        assert found["reverse_kl"] == pytest.approx(math.log(2), abs=0.02)
        assert found["discriminator_accuracy"] == (0.0 if logit == 0 else 0.5)
