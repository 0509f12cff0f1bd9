"""A classifier as a judge of images: in pieces, by its name, against the metrics taken one by one."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.families.base import Trained
from jaxgen.families.gan.sampling import sample_in_pieces
from jaxgen.families.judge import make_judge, set_metrics
from jaxgen.metrics.frechet import frechet_distance
from jaxgen.metrics.kernel_distance import kernel_distance
from jaxgen.metrics.neighbours import neighbour_metrics

SHAPE = (2, 3, 1)


def apply(weights, image, method=None):
    """Features: the pixels times two; logits of two classes: how bright the image's halves are."""
    if method == "features":
        return 2.0 * image.reshape(image.shape[0], -1)
    return 50.0 * jnp.stack([image[:, 0].sum((1, 2)), image[:, 1].sum((1, 2))], axis=1)


CLASSIFIER = Trained(SimpleNamespace(apply=apply), None, None)


def images(count, seed, scale=1.0):
    return scale * np.random.default_rng(seed).random((count, *SHAPE), np.float32)


def test_it_judges_in_pieces():
    judge = make_judge(CLASSIFIER, "clothes")
    found = images(1203, seed=0)
    features, logits = judge(found)
    np.testing.assert_allclose(features, 2 * found.reshape(1203, 6), rtol=1e-6)
    np.testing.assert_allclose(logits[:, 1], 50 * found[:, 1].sum((1, 2)), rtol=1e-5)


def test_every_metric_has_the_run_s_name_and_its_own_value():
    judge = make_judge(CLASSIFIER, "clothes")
    drawn, real, train = images(40, 0, scale=0.8), images(50, 1), images(60, 2)
    found = set_metrics(judge, "clothes", drawn, real, train)
    flat = [2 * part.reshape(len(part), 6) for part in (drawn, real, train)]
    assert found["frechet[clothes]"] == pytest.approx(frechet_distance(flat[1], flat[0]))
    assert found["frechet_floor[clothes]"] == pytest.approx(frechet_distance(flat[1], flat[2]))
    assert found["kernel_distance[clothes]"] == pytest.approx(kernel_distance(flat[1], flat[0]))
    assert found["frechet_floor[clothes]"] < found["frechet[clothes]"]
    for name, value in neighbour_metrics(flat[1], flat[0]).items():
        assert found[f"{name}[clothes]"] == pytest.approx(value)
    upper = drawn[:, 0].sum((1, 2)) > drawn[:, 1].sum((1, 2))
    shares = sorted([2 * upper.mean(), 2 - 2 * upper.mean()])
    assert found["rarest_class[clothes]"] == pytest.approx(shares[0])
    assert found["commonest_class[clothes]"] == pytest.approx(shares[1])
    gap = 50 * np.abs(drawn[:, 0].sum((1, 2)) - drawn[:, 1].sum((1, 2)))
    assert found["confident[clothes]"] == pytest.approx((1 / (1 + np.exp(-gap)) > 0.9).mean())
    assert {name.partition("[")[2] for name in found} == {"clothes]"}
    asked = np.arange(40) % 2  # 0 is the class of the upper half
    told = set_metrics(judge, "clothes", drawn, real, train, asked)
    right = upper == (asked == 0)
    assert told["as_asked[clothes]"] == pytest.approx(right.mean())
    worst = min(right[::2].mean(), right[1::2].mean())
    assert told["worst_class[clothes]"] == pytest.approx(worst)
    assert told.keys() - found.keys() == {"as_asked[clothes]", "worst_class[clothes]"}


def test_pieces_of_classes_are_of_all_in_turn():
    def apply(weights, noise, label):
        return label[:, None] + 0.0 * noise

    drawn = sample_in_pieces(apply, None, 7, latent_size=2, num_classes=3, piece=2)
    np.testing.assert_array_equal(drawn[:, 0], [0, 1, 2, 0, 1, 2, 0])


def test_too_few_images_for_a_covariance():
    judge = make_judge(CLASSIFIER, "clothes")
    with pytest.raises(UserError, match="needs more than 6 images on each side, and there are 5"):
        set_metrics(judge, "clothes", images(5, 0), images(50, 1), images(60, 2))


def test_a_run_that_is_no_classifier_is_refused():
    other = Trained(SimpleNamespace(apply=lambda weights, noise: noise), None, None)
    with pytest.raises(UserError, match=r"--judge.run mine is no run of a classifier"):
        make_judge(other, "mine")


def test_samples_do_not_depend_on_the_pieces():
    def double(weights, noise):
        return weights * noise

    whole = sample_in_pieces(double, 2.0, 7, latent_size=3, piece=7)
    assert whole.shape == (7, 3)
    longer = sample_in_pieces(double, 2.0, 7, latent_size=3, piece=1)
    np.testing.assert_allclose(whole, longer, rtol=1e-6)
    assert len(np.unique(whole)) == 21
