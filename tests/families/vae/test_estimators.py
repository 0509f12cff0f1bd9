"""The objectives of several draws, a warm-up, free bits and two layers, on a tiny model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.families.vae.objective import Objective, binarised, make_vae_loss
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import gradient

SHAPE, PIXELS, Z, B, K = (2, 3, 1), 6, 3, 5, 4
BATCH = {"image": jax.random.uniform(jax.random.key(9), (B, *SHAPE))}
KEYS = jax.random.split(jax.random.key(4), B)
X = np.asarray(BATCH["image"] > 0.5, np.float64).reshape(B, PIXELS)
MODEL, TWO = MLPVAEConfig((7,), Z).make(SHAPE), TwoLayerVAEConfig((7,), Z, (5,), 2).make(SHAPE)


def values(model, objective, params, extra=None):
    loss = jax.jit(
        jax.value_and_grad(make_vae_loss(model, "threshold", None, objective), has_aux=True)
    )
    (value, aux), gradient = loss(params, extra, BATCH, KEYS)
    metrics = {name: float(mean.total / mean.count) for name, mean in aux.metrics.items()}
    assert metrics["loss"] == pytest.approx(float(value), rel=1e-5)
    return metrics, gradient, aux.extra


def numpy_mlp(x, layers):
    wide = [jax.tree.map(lambda a: np.asarray(a, np.float64), layer) for layer in layers.values()]
    for layer in wide[:-1]:
        x = np.maximum(x @ layer["kernel"] + layer["bias"], 0)
    return x @ wide[-1]["kernel"] + wide[-1]["bias"]


def gaussian(features):
    mean, log_variance = np.split(features, 2, axis=-1)
    return mean, np.exp(log_variance / 2)


def noise_of(size):
    """(K, B, size): what the loss draws of each example's own key."""
    noise_keys, _ = split_each(KEYS, 2)
    each = jax.vmap(lambda key: jax.random.normal(key, (K, size)))(noise_keys)
    return np.asarray(each, np.float64).swapaxes(0, 1)


def log_p(p):
    return np.log(np.where(X > 0.5, p, 1 - p)).sum(-1)


def weights_in_numpy(params, size):
    """log w (K, B) of one layer, or of two."""
    noise = noise_of(size)
    mean, deviation = gaussian(numpy_mlp(X, params["encoder"]))
    z = mean + deviation * noise[..., :Z]
    weight = log_p(special.expit(numpy_mlp(z, params["decoder"])))
    weight -= stats.norm.logpdf(z, mean, deviation).sum(-1)
    if size == Z:
        return weight + stats.norm.logpdf(z).sum(-1)
    mean, deviation = gaussian(numpy_mlp(z, params["upper_encoder"]))
    above = mean + deviation * noise[..., Z:]
    prior = gaussian(numpy_mlp(above, params["upper_decoder"]))
    weight += stats.norm.logpdf(z, *prior).sum(-1) + stats.norm.logpdf(above).sum(-1)
    return weight - stats.norm.logpdf(above, mean, deviation).sum(-1)


@pytest.mark.parametrize("model, size", [(MODEL, Z), (TWO, Z + 2)], ids=["one layer", "two layers"])
def test_bounds_of_several_draws_in_numpy(random_params, model, size):
    params = random_params(model, BATCH["image"])
    weights = weights_in_numpy(params, size)
    bound, _, _ = values(model, Objective("iwae", K), params)
    expected = np.log(K) - special.logsumexp(weights, axis=0)
    assert bound["loss"] == pytest.approx(expected.mean(), rel=1e-4)
    mean, _, _ = values(model, Objective("elbo", K, kl="sampled"), params)
    assert mean["loss"] == pytest.approx(-weights.mean(), rel=1e-4)
    for name in ("reconstruction_nats", "kl_nats"):
        assert bound[name] == pytest.approx(mean[name], rel=1e-4)


def test_dreg_moves_the_decoder_as_iwae_does_and_the_encoder_otherwise(random_params):
    params = random_params(MODEL, BATCH["image"])
    (plain, by_plain, _), (doubly, by_doubly, _) = (
        values(MODEL, Objective(name, K), params) for name in ("iwae", "dreg")
    )
    assert plain == pytest.approx(doubly, rel=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        by_plain["decoder"], by_doubly["decoder"],
    )  # fmt: skip
    difference = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), by_plain, by_doubly)["encoder"]
    assert min(jax.tree.leaves(difference)) > 1e-3


def test_warmup_counts_its_updates_and_beta_prices_the_divergence(random_params):
    params = random_params(MODEL, BATCH["image"])
    objective = Objective(beta=3.0, kl_warmup=4)
    plain, _, none = values(MODEL, Objective(), params)
    assert none is None and objective.extra["updates"] == 0
    for updates, share in ((0, 0.0), (1, 0.25), (9, 1.0)):
        found, _, extra = values(MODEL, objective, params, {"updates": jnp.int32(updates)})
        assert int(extra["updates"]) == updates + 1
        expected = plain["reconstruction_nats"] + 3 * share * plain["kl_nats"]
        assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_free_bits_count_the_batch_s_mean_of_each_latent(random_params):
    params = random_params(MODEL, BATCH["image"])
    objective = Objective(free_bits=0.7)
    found, whole, _ = values(MODEL, objective, params, objective.extra)
    mean, deviation = gaussian(numpy_mlp(X, params["encoder"]))
    each = 0.5 * (mean**2 + deviation**2 - 1 - 2 * np.log(deviation)).mean(0)
    assert each.min() < 0.7 < each.max()
    expected = found["reconstruction_nats"] + np.maximum(each, 0.7).sum()
    assert found["loss"] == pytest.approx(expected, rel=1e-4)
    assert found["kl_nats"] == pytest.approx(each.sum(), rel=1e-4)
    loss = make_vae_loss(MODEL, "threshold", None, objective)
    cut = jax.jit(lambda params: gradient(
        loss, params, objective.extra, BATCH, KEYS, accumulate=B
    )[0])(params)  # fmt: skip
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), whole, cut)


def test_an_image_that_is_drawn_once_is_drawn_alike_wherever_it_stands():
    images = jax.random.uniform(jax.random.key(0), (400, 4, 4, 1))
    images = images.at[7].set(images[300])
    drawn, moved = (np.asarray(binarised(x, "once", None)) for x in (images, images[::-1]))
    np.testing.assert_array_equal(drawn, moved[::-1])
    np.testing.assert_array_equal(drawn[7], drawn[300])
    # Each with the grey level as probability, and no two alike but by chance.
    grey = np.asarray(images, np.float64)
    error = np.sqrt((grey * (1 - grey)).sum((0, 3)))
    assert np.all(np.abs((drawn - grey).sum((0, 3))) < 5 * error)
    same = np.asarray(binarised(jnp.full((400, 4, 4, 1), 0.5), "once", None))
    assert np.all(same == same[0])  # the same image: the same draw
    shifted = 0.5 + np.arange(400).reshape(400, 1, 1, 1) * np.float32(2**-23)
    nearly = np.asarray(binarised(jnp.broadcast_to(shifted, (400, 4, 4, 1)), "once", None))
    assert abs(nearly.mean() - 0.5) < 5 * 0.5 / np.sqrt(6400)
    assert len(np.unique(nearly.reshape(400, -1), axis=0)) > 390
