"""A classifier's loss, augmentation and judgement on numbers that are known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import Images, ImageSpec
from jaxgen.errors import UserError
from jaxgen.families.classifier.evaluation import make_classifier_evaluation
from jaxgen.families.classifier.family import Classifier
from jaxgen.families.classifier.objective import (
    augmented,
    is_right,
    make_classifier_loss,
    of_attributes,
)
from jaxgen.models.convnet.config import ConvNetConfig
from jaxgen.training.metrics import to_floats
from jaxgen.training.state import Weights


class FirstPixels(nn.Module):
    """The first three pixels are the logits, times one parameter."""

    @nn.compact
    def __call__(self, image, dropout_keys=None):
        scale = self.param("scale", nn.initializers.ones, ())
        return scale * image.reshape(len(image), -1)[:, :3]


PARAMS = {"scale": jnp.float32(2.0)}
# log-sum-exp of 2·pixels minus 2·the label's pixel, by hand.
PIXELS = np.asarray(
    [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.25, 0.0, 1.0]], np.float32
)
LABELS = np.asarray([0, 0, 2, 2], np.int32)
NATS = np.log(np.exp(2.0 * PIXELS).sum(1)) - 2.0 * PIXELS[np.arange(4), LABELS]


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def test_the_loss_is_the_cross_entropy_of_the_labels():
    batch = {"image": jnp.asarray(PIXELS.reshape(4, 1, 3, 1)), "label": jnp.asarray(LABELS)}
    loss, aux = make_classifier_loss(FirstPixels(), flip=False, shift=0)(
        PARAMS, None, batch, keys(4)
    )
    np.testing.assert_allclose(loss, NATS.mean(), rtol=1e-6)
    found = to_floats(aux.metrics)
    assert found["loss"] == pytest.approx(NATS.mean(), rel=1e-6) and aux.extra is None
    # Right are the first and the last; of equal logits the first class is taken, which 2 is not.
    assert found["accuracy"] == 0.5
    np.testing.assert_array_equal(
        is_right(2 * jnp.asarray(PIXELS), jnp.asarray(LABELS)), [1, 0, 0, 1]
    )


@pytest.mark.parametrize("batch_size", [1, 3, 4, 500])
def test_every_held_out_image_is_judged_once_however_they_are_batched(batch_size):
    """3 does not divide 4: what fills the last batch must not count."""
    images = Images({"image": PIXELS.reshape(4, 1, 3, 1), "label": LABELS}, 1)
    found = make_classifier_evaluation(FirstPixels(), batch_size)(Weights(PARAMS), images)
    assert found == {"loss": pytest.approx(NATS.mean(), rel=1e-6), "accuracy": 0.5}


def test_images_are_mirrored_or_not_by_a_fair_coin():
    image = jnp.broadcast_to(jnp.arange(6.0).reshape(1, 2, 3, 1), (2000, 2, 3, 1))
    found = np.asarray(augmented(image, keys(2000), flip=True, shift=0))
    mirrored = (found == np.asarray(image)[:, :, ::-1]).all((1, 2, 3))
    assert (mirrored | (found == np.asarray(image)).all((1, 2, 3))).all()
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)


def test_images_move_by_every_shift_alike_and_zeros_come_in():
    image = np.zeros((4500, 5, 5, 1), np.float32)
    image[:, 2, 2, 0] = 1.0  # where this pixel goes tells the shift
    found = np.asarray(augmented(jnp.asarray(image), keys(4500), flip=False, shift=1))
    assert (found.sum((1, 2, 3)) == 1).all()
    places = found[..., 0].reshape(4500, 25).argmax(1)
    counts = np.bincount(places, minlength=25).reshape(5, 5)
    assert counts[[0, -1]].sum() == counts[:, [0, -1]].sum() == 0
    ninth = 4500 / 9
    assert np.abs(counts[1:4, 1:4] - ninth).max() < 5 * np.sqrt(ninth * 8 / 9)


def test_an_image_s_draw_depends_on_its_own_key_alone():
    image, own = jnp.arange(2 * 16.0).reshape(2, 4, 4, 1), keys(2, seed=3)
    both = augmented(image, own, flip=True, shift=2)
    for i in range(2):
        alone = augmented(image[i : i + 1], own[i : i + 1], flip=True, shift=2)
        np.testing.assert_array_equal(both[i], alone[0])


def test_attributes_are_read_each_from_its_own_logits():
    """Of 3 and 2 values: nats are added, and all of them have to be right; by hand."""
    logits = jnp.asarray([[0.0, 1.0, 2.0, 5.0, 3.0], [1.0, 0.0, 0.0, 0.0, 1.0]])
    answers = jnp.asarray([[2, 0], [0, 0]])
    reading = of_attributes((3, 2))
    first = np.log(np.exp([0, 1, 2]).sum()) - 2 + np.log(1 + np.exp(-2))
    second = np.log(np.e + 2) - 1 + np.log(1 + np.e)
    np.testing.assert_allclose(reading.nats(logits, answers), [first, second], rtol=1e-5)
    assert reading.right(logits, answers).tolist() == [1, 0]


def test_it_applies_to_logits_or_to_the_features_beneath_them():
    experiment = Classifier(model=ConvNetConfig(channels=(3,), hidden_size=5))
    task = experiment.build(ImageSpec(4, 4, 1, 7))
    weights = jax.jit(task.init)(jax.random.key(0)).weights
    image = jax.random.uniform(jax.random.key(1), (2, 4, 4, 1))
    features = task.apply(weights, image, method="features")
    output = weights.params["output"]
    by_hand = np.asarray(features) @ np.asarray(output["kernel"]) + np.asarray(output["bias"])
    np.testing.assert_allclose(task.apply(weights, image), by_hand, rtol=1e-5, atol=1e-6)


def test_bad_input():
    with pytest.raises(UserError, match="has no labels, which a classifier learns from"):
        Classifier().build(ImageSpec(8, 8, 1, None))
    with pytest.raises(UserError, match="--shift 8 moves images of 8 x 8 pixels out of sight"):
        Classifier(shift=8).build(ImageSpec(8, 8, 1, 10))
