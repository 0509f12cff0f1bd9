"""The VAE objective against the catalogue by hand, NumPy, and a case whose bound is tight."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.equations import vae
from jaxgen.families.vae.likelihood import Likelihood
from jaxgen.families.vae.objective import binarised, make_vae_loss
from jaxgen.models.mlp_vae.config import MLPVAEConfig

SHAPE, PIXELS, Z, B = (2, 3, 1), 6, 3, 5
BATCH = {"image": jax.random.uniform(jax.random.key(9), (B, *SHAPE))}
KEYS = jax.random.split(jax.random.key(4), B)
EXTRA = {"left": jnp.arange(3.0)}  # that the loss does not read

HOW = {
    "threshold": lambda image, key: jnp.where(image > 0.5, 1.0, 0.0),
    "draw": lambda image, key: jax.random.bernoulli(key, image).astype(jnp.float32),
    "grey": lambda image, key: image,
    "no": lambda image, key: image,
}  # one image with its key


def numpy_terms(image, posterior, decoded, noise, decoder):
    """-log p(x|z) and KL per image in float64; `decoded` at z = mean + sigma noise."""
    mean, log_variance = (np.asarray(part, np.float64) for part in posterior)
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    x = np.asarray(image, np.float64).reshape(B, PIXELS)
    if decoder == "gaussian":
        centre, log_scale2 = np.moveaxis(np.asarray(decoded, np.float64), -1, 0)
        return -stats.norm(centre, np.exp(log_scale2 / 2)).logpdf(x).sum(1), kl
    p = special.expit(np.asarray(decoded, np.float64))
    return -np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=1), kl


@pytest.mark.parametrize(
    ("decoder", "binarise"),
    [("bernoulli", "threshold"), ("bernoulli", "draw"), ("bernoulli", "grey"), ("gaussian", "no")],
)
def test_value_gradient_and_metrics(random_params, decoder, binarise):
    outputs = 2 if decoder == "gaussian" else 1
    likelihood = Likelihood("gaussian-pixel" if decoder == "gaussian" else "bernoulli")
    model = MLPVAEConfig((7,), Z).make(SHAPE, outputs)
    params = random_params(model, BATCH["image"])
    noise_keys, pixel_keys = zip(*(jax.random.split(key) for key in KEYS), strict=True)
    image = jnp.stack(
        [HOW[binarise](x, key) for x, key in zip(BATCH["image"], pixel_keys, strict=True)]
    )
    noise = jnp.stack([jax.random.normal(key, (Z,)) for key in noise_keys])

    def parts(params):
        posterior = model.apply({"params": params}, image, method="encode")
        latent = vae.reparameterise(posterior.mean, posterior.log_variance, noise)
        return posterior, model.apply({"params": params}, latent, method="decode")

    def by_hand(params):
        posterior, decoded = parts(params)
        flat = image.reshape(B, PIXELS)
        if decoder == "gaussian":
            log_density = vae.gaussian_log_density(flat, decoded[..., 0], decoded[..., 1])
        else:
            log_density = vae.bernoulli_log_density(flat, decoded)
        return vae.negative_elbo(-log_density, vae.gaussian_kl(*posterior)).mean()

    @jax.jit
    def both(params):
        loss = make_vae_loss(model, binarise, likelihood)
        found = jax.value_and_grad(loss, has_aux=True)(params, EXTRA, BATCH, KEYS)
        return found, jax.value_and_grad(by_hand)(params), parts(params)

    ((loss, aux), grads), (hand_loss, hand_grads), (posterior, decoded) = both(params)
    metrics = aux.metrics
    np.testing.assert_array_equal(aux.extra["left"], EXTRA["left"])
    # one program holds both forms: they may be fused differently, in the last bit
    np.testing.assert_allclose(loss, hand_loss, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), grads, hand_grads
    )
    reconstruction, kl = numpy_terms(image, posterior, decoded, noise, decoder)
    expected = {"loss": reconstruction + kl, "reconstruction_nats": reconstruction, "kl_nats": kl}
    assert metrics.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(metrics[name].total, values.sum(), rtol=1e-5)
        assert metrics[name].count == B
    np.testing.assert_allclose(loss, np.mean(reconstruction + kl), rtol=1e-5)


def test_binarised_by_hand():
    image = jnp.asarray([0.0, 0.25, 0.5, 0.5000001, 0.75, 1.0]).reshape(1, *SHAPE)
    found = binarised(image, "threshold", KEYS[:1])
    assert np.ravel(found).tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(binarised(image, "no", KEYS[:1]), image)


def test_drawn_pixels_are_as_often_white_as_they_are_grey():
    """Frequencies of n draws lie within 5 sqrt(p (1 - p) / n) of p; black and white stay."""
    image = jnp.asarray([0.0, 0.1, 0.3, 0.5, 0.9, 1.0]).reshape(SHAPE)
    keys = jax.random.split(KEYS[0], 4000)
    images = jnp.broadcast_to(image, (4000, *SHAPE))
    drawn = np.asarray(jax.jit(lambda keys: binarised(images, "draw", keys))(keys))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    p = np.asarray(image, np.float64)
    assert np.all(np.abs(drawn.mean(0) - p) <= 5 * np.sqrt(p * (1 - p) / 4000))


def test_the_bound_is_tight_at_the_true_posterior():
    """Linear-Gaussian p(x|z) = N(a z + c, s² I): with q the exact posterior E[loss] = -log p(x).

    The layers are linear here: their hidden units are lifted by 16 so that no relu is at 0.
    """
    rng = np.random.default_rng(0)
    a, c, s = rng.standard_normal(PIXELS), rng.standard_normal(PIXELS), 0.7
    x = rng.random((1, *SHAPE))
    precision = 1 + a @ a / s**2  # of z given x, whose mean is w·(x - c)
    w, lift = a / s**2 / precision, 16.0

    def dense(kernel, bias):
        return {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}

    log_variances = np.full(PIXELS, 2 * math.log(s))
    params = {
        "encoder": {
            "Dense_0": dense(w[:, None], [lift - w @ c]),
            "Dense_1": dense([[1.0, 0.0]], [-lift, -math.log(precision)]),
        },
        "decoder": {
            "Dense_0": dense([[1.0]], [lift]),
            "Dense_1": dense(
                np.stack([a, np.zeros(PIXELS)], 1).reshape(1, -1),
                np.stack([c - lift * a, log_variances], 1).ravel(),
            ),
        },
    }
    loss = make_vae_loss(MLPVAEConfig((1,), 1).make(SHAPE, 2), "no", Likelihood("gaussian-pixel"))
    batch = {"image": jnp.asarray(x, jnp.float32)}
    keys = jax.random.split(jax.random.key(0), 4000)
    values = np.asarray(
        jax.jit(jax.vmap(lambda key: loss(params, None, batch, key[None])[0]))(keys)
    )
    marginal = stats.multivariate_normal(c, np.outer(a, a) + s**2 * np.eye(PIXELS))
    standard_error = values.std() / math.sqrt(len(values))
    assert 1e-3 < standard_error < 0.05
    assert abs(values.mean(dtype=np.float64) + marginal.logpdf(x.ravel())) < 5 * standard_error
