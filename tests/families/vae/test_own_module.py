"""A module of one's own, no class of this house and none of flax's, lives by the family's functions."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgen
from jaxgen.data import load
from jaxgen.families.vae.evaluation import make_vae_evaluation
from jaxgen.families.vae.module import Autoencoder
from jaxgen.families.vae.objective import make_vae_loss
from jaxgen.families.vae.sampling import sample_vae
from jaxgen.layers.gaussian import Gaussian
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.state import Weights

Z, SHAPE = 3, (8, 8, 1)


@dataclass(frozen=True)
class Linear:
    """Two matrices and their offsets: what an MLP VAE without hidden layers is."""

    latent_size: int = Z
    image_shape: tuple[int, int, int] = SHAPE
    params: Any = None

    def apply(self, variables, *inputs, method=None):
        return getattr(replace(self, params=variables["params"]), method)(*inputs)

    def encode(self, image):
        both = image.reshape(image.shape[0], -1) @ self.params["into"] + self.params["offset"][None]
        return Gaussian(both[:, :Z], both[:, Z:])

    def decode(self, latent):
        return latent @ self.params["out"] + self.params["centre"][None]


@dataclass(frozen=True)
class Own(jaxgen.Experiment):
    kind = "images"

    def build(self, spec, trained=None):
        model = Linear()

        def init(key):
            into, out = (0.1 * jax.random.normal(key, shape) for shape in ((64, 2 * Z), (Z, 64)))
            centre = jnp.zeros(64)
            return Weights({"into": into, "offset": jnp.zeros(2 * Z), "out": out, "centre": centre})

        return jaxgen.one_player(
            init, make_vae_loss(model, "threshold"), optax.adam(1e-2),
            evaluate=make_vae_evaluation(model, "threshold"), **self.step_options,
        )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    own = Own(steps=60, eval_every=60, log_every=30, checkpoint_every=60, batch_size=64)
    return jaxgen.train(own, name="own", runs=tmp_path_factory.mktemp("runs"))


def test_it_trains_and_is_judged_as_the_house_s_own_of_the_same_parameters(trained):
    assert isinstance(Linear(), Autoencoder)
    data = load("digits", kind="images")
    before = make_vae_evaluation(Linear(), "threshold")(
        trained.task.init(jax.random.key(0)).weights, data.test
    )
    own = trained.evaluate()
    house = MLPVAEConfig((), Z).make(SHAPE, 1)
    params = trained.params
    theirs = Weights(
        {
            "encoder": {"Dense_0": {"kernel": params["into"], "bias": params["offset"]}},
            "decoder": {"Dense_0": {"kernel": params["out"], "bias": params["centre"]}},
        }
    )
    found = make_vae_evaluation(house, "threshold")(theirs, data.test)
    for name, value in found.items():
        assert own[f"eval/{name}"] == pytest.approx(value, rel=1e-5), name
    assert found["loss"] < 0.75 * before["loss"]


def test_it_is_drawn_from_as_the_mathematics_says(trained):
    images = sample_vae(Linear(), trained.params, jax.random.key(5), 7)
    z = np.asarray(jax.random.normal(jax.random.key(5), (7, Z)), np.float64)
    logits = z @ np.asarray(trained.params["out"]) + np.asarray(trained.params["centre"])
    np.testing.assert_allclose(images, (1 / (1 + np.exp(-logits))).reshape(7, *SHAPE), atol=1e-5)


def test_what_offers_less_is_refused_by_name():
    assert not isinstance(object(), Autoencoder)
    assert not isinstance(MLPVAEConfig((), Z), Autoencoder)
