"""GANs that are told the class: by hand in NumPy, in the losses, and where the answer is known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import ImageSpec
from jaxgen.data.points.kind import PointSpec
from jaxgen.data.points.mixtures import ring
from jaxgen.errors import UserError
from jaxgen.families.classes import labels_for
from jaxgen.families.gan.family import GAN, PointGAN
from jaxgen.families.gan.objective import Rules, choose_losses, init_players, make_gan_losses
from jaxgen.models.dcgan.config import DCGANConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig

B, Z, CLASSES, SHAPE = 6, 3, 5, (4, 8, 2)
LABEL = jnp.array([3, 0, 4, 1, 1, 2])
MODELS = {
    "mlp": MLPGANConfig(Z, (7,), (13, 11), label_size=2),
    "dcgan": DCGANConfig(Z, (3, 5), label_size=2, generator_norm="none", discriminator_norm="none"),
}
HOW = ("embedding", "projection")


def players(name, labels):
    modules = replace(MODELS[name], labels=labels).make(SHAPE, CLASSES)
    rng = np.random.default_rng(0)
    inputs = (
        jnp.asarray(rng.standard_normal((B, Z)), jnp.float32),
        jnp.asarray(rng.random((B, *SHAPE)), jnp.float32),
    )
    made = []
    for seed, (module, x) in enumerate(zip(modules, inputs, strict=True)):
        shapes = jax.eval_shape(lambda m=module, x=x: m.init(jax.random.key(0), x, label=LABEL))
        draw = np.random.default_rng(seed)
        params = jax.tree.map(
            lambda leaf, draw=draw: jnp.asarray(
                0.5 * draw.standard_normal(leaf.shape), jnp.float32
            ),
            shapes["params"],
        )
        made.append((module, params, x))
    return made


def untold(name, shape=SHAPE, latent=Z):
    return replace(MODELS[name], latent_size=latent).make(shape)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("labels", HOW)
def test_told_players_are_those_that_are_not_with_more_inputs(name, labels):
    """G on [z, e(y)]; D on a plane or numbers more, or with e(y)·h added: h by the head's gradient."""
    (generator, g, noise), (discriminator, d, image) = players(name, labels)
    own = np.asarray(g["label"]["embedding"])[np.asarray(LABEL)]
    plain, _ = untold(name, latent=Z + 2)
    rest = {key: value for key, value in g.items() if key != "label"}
    expected = plain.apply({"params": rest}, jnp.concatenate([noise, own], axis=1))
    found = generator.apply({"params": g}, noise, label=LABEL)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    logits = discriminator.apply({"params": d}, image, label=LABEL)
    if labels == "embedding":
        own = np.asarray(d["label"]["embedding"])[np.asarray(LABEL)]
        rest = {key: value for key, value in d.items() if key != "label"}
        if name == "mlp":
            _, plain = untold(name, (1, 1, own.shape[1] + image[0].size))
            x = jnp.concatenate([image.reshape(B, -1), own], axis=1).reshape(B, 1, 1, -1)
        else:  # a plane of the image, in the scale behind 2x - 1
            _, plain = untold(name, (*SHAPE[:2], SHAPE[2] + 1))
            plane = (own.reshape(B, *SHAPE[:2], 1) + 1) / 2
            x = jnp.concatenate([image, jnp.asarray(plane)], axis=-1)
        expected = plain.apply({"params": rest}, x)
    else:
        table = np.asarray(d["ClassEmbedding_0"]["embedding"])
        rest = {key: value for key, value in d.items() if key != "ClassEmbedding_0"}
        _, plain = untold(name)
        expected = np.asarray(plain.apply({"params": rest}, image))
        head = ("MLP_0", "Dense_2") if name == "mlp" else ("out",)
        features = jax.jacobian(lambda kernel: _with_kernel(plain, rest, head, kernel, image))(
            _at(rest, head)["kernel"]
        )[:, :, 0]
        expected = expected + (table[np.asarray(LABEL)] * np.asarray(features)).sum(1)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    other = discriminator.apply({"params": d}, image, label=(LABEL + 1) % CLASSES)
    assert np.abs(np.asarray(other) - np.asarray(logits)).min() > 1e-4


def _at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def _with_kernel(module, params, path, kernel, image):
    inner = {**_at(params, path), "kernel": kernel}
    for depth in range(len(path) - 1, -1, -1):
        inner = {**_at(params, path[:depth]), path[depth]: inner}
    return module.apply({"params": inner}, image)


@pytest.mark.parametrize("labels", HOW)
def test_the_losses_tell_each_example_its_class(labels):
    """Real and generated ones alike, for either player, with the slopes of the penalties."""
    modules = replace(MODELS["mlp"], labels=labels).make((2,), CLASSES)
    rules = Rules(labels=True, r1=2.0)
    losses = make_gan_losses(*modules, choose_losses("non-saturating", "none"), rules, "point")
    weights = init_players(*modules, rules, (2,))(jax.random.key(0), jax.random.key(1))
    g, d = weights.params["generator"], weights.params["discriminator"]
    keys = jax.random.split(jax.random.key(4), B)
    batch = {"point": jax.random.normal(jax.random.key(9), (B, 2)), "label": LABEL}

    def judge(x, label=LABEL):
        return modules[1].apply({"params": d}, x, label=label)

    def draw(count):
        own = jax.vmap(lambda key: jax.random.split(key, count)[0])(keys)
        noise = jax.vmap(lambda key: jax.random.normal(key, (Z,)))(own)
        return modules[0].apply({"params": g}, noise, label=LABEL)

    @jax.jit
    def by_hand(point):
        slope = jax.vmap(jax.grad(lambda x, y: judge(x[None], y[None])[0]))(point, LABEL)
        critic = jax.nn.softplus(-judge(point)) + jax.nn.softplus(judge(draw(3)))
        generator = jax.nn.softplus(-judge(draw(2)))
        return jnp.mean(critic + jnp.square(slope).sum(1)), jnp.mean(generator)

    @jax.jit
    def found(batch):
        critic = losses["discriminator"](d, g, None, batch, keys)[0]
        return critic, losses["generator"](g, d, None, batch, keys)[0]

    np.testing.assert_allclose(found(batch), by_hand(batch["point"]), rtol=1e-5)
    other = found(batch | {"label": (LABEL + 1) % CLASSES})
    assert np.abs(np.subtract(found(batch), other)).min() > 1e-4


def test_labels_are_all_in_turn_or_the_one_asked_for():
    assert labels_for(5, 0) is None
    np.testing.assert_array_equal(labels_for(5, 3), [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(labels_for(2, 3, 1), [1, 1])


@pytest.mark.parametrize(
    ("fields", "num_classes", "message"),
    [
        ({}, None, "The data of --data digits has no labels, which --model.labels projection tells"),
        ({"sampling": {"label": 10}}, 10, "--sampling.label 10 does not exist: give 0 to 9, or -1"),
        (
            {"model": {"labels": "none"}, "sampling": {"label": 0}}, 10,
            "--sampling.label 0 asks for a class, but the model is told none",
        ),
        (
            {"model": {"labels": "none"}, "sampling": {"show": "classes"}}, 10,
            "--sampling.show classes asks for a class, but the model is told none",
        ),
        ({"pack": 2}, 10, "--pack 2 judges examples of several classes together"),
        ({"sampling": {"truncation": 6.0}}, 10, "--sampling.truncation is 6.0: give 0 to 5"),
        ({"sampling": {"label": -2}}, 10, "--sampling.label is -2: give a class, or -1 for all"),
        ({"model": {"label_size": 0}}, 10, "--model.label-size is 0: give 1 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(fields, num_classes, message):
    plain = GAN(model=MLPGANConfig(labels="projection"))
    with pytest.raises(UserError, match=message):
        own = {
            name: replace(getattr(plain, name), **value) if isinstance(value, dict) else value
            for name, value in fields.items()
        }
        replace(plain, **own).build(ImageSpec(2, 3, 1, num_classes))


@pytest.mark.once
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("labels", HOW)
def test_points_of_the_ring_land_on_the_mode_asked_for(labels):
    """The game of each class is that of one Gaussian: the value comes to −log 4 around every centre."""
    adam = OptimizerConfig(learning_rate=2e-3, beta1=0.0, beta2=0.99)
    sizes = (64, 64)
    experiment = PointGAN(
        steps=400, batch_size=128, r1=0.3, ema_decay=0.95,
        generator_optimizer=adam, discriminator_optimizer=adam,
        model=MLPGANConfig(2, sizes, sizes, output="numbers", waves=3, labels=labels, label_size=8),
    )  # fmt: skip
    mixture = ring()
    task, data = experiment.build(PointSpec(2, mixture)), mixture.draw(20_000, seed=5)
    state, step = task.init(jax.random.key(0)), jax.jit(task.step, donate_argnums=0)
    for rows in np.random.default_rng(0).integers(20_000, size=(400, 128)):
        state, _ = step(state, {name: array[rows] for name, array in data.arrays.items()})
    found = task.evaluate(state.weights, mixture.draw(1000, seed=6))
    assert (found["as_asked"], found["modes"]) == (1.0, 8.0)
    assert found["high_quality"] > 0.7
    assert found["value"] == pytest.approx(-np.log(4), abs=0.02)
