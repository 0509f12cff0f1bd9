"""Classes, ways and truncation against densities of Gaussians, rotations and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.equations import gan_controls

B, D, CLASSES = 13, 3, 5


def test_projection_logit_is_the_best_logit_of_gaussian_classes():
    """log p(x, y)/q(x, y) splits into the class's part and the example's, as in the paper.

    Classes are Gaussians of one deviation, p the data's and q the model's, whose classes are not as
    likely: then p(y|x) = softmax of a_yᵀ φ(x), φ(x) = [x, 1], and so is q(y|x). SciPy has the densities.
    """
    rng, deviation = np.random.default_rng(0), 0.7
    sides = {}
    for side in "pq":
        centres = rng.standard_normal((CLASSES, D))
        prior = rng.dirichlet(np.full(CLASSES, 5.0))
        constant = np.log(prior) - (centres**2).sum(1) / (2 * deviation**2)
        rows = np.concatenate([centres / deviation**2, constant[:, None]], axis=1)
        sides[side] = (centres, prior, rows)
    x, y = rng.standard_normal((B, D)), rng.integers(CLASSES, size=B)
    phi = np.concatenate([x, np.ones((B, 1))], axis=1)

    def log_joint(side):
        centres, prior, _ = sides[side]
        each = [
            stats.multivariate_normal(centre, deviation**2 * np.eye(D)).logpdf(x) + np.log(share)
            for centre, share in zip(centres, prior, strict=True)
        ]
        return np.stack(each, axis=1)

    joint = {side: log_joint(side) for side in "pq"}
    best = (joint["p"] - joint["q"])[np.arange(B), y]
    of_example = special.logsumexp(joint["p"], 1) - special.logsumexp(joint["q"], 1)
    of_class = best - of_example
    softmaxes = [special.log_softmax(phi @ sides[side][2].T, 1)[np.arange(B), y] for side in "pq"]
    np.testing.assert_allclose(of_class, softmaxes[0] - softmaxes[1], rtol=1e-9, atol=1e-9)

    vector = (sides["p"][2] - sides["q"][2])[y]
    normalisers = [special.logsumexp(phi @ sides[side][2].T, 1) for side in "pq"]
    psi = of_example - (normalisers[0] - normalisers[1])
    found = gan_controls.projection_logit(
        *(jnp.asarray(part, jnp.float32) for part in (phi, vector, psi))
    )
    np.testing.assert_allclose(found, best, rtol=1e-4, atol=1e-4)
    others = (sides["p"][2] - sides["q"][2])[(y + 1) % CLASSES]
    assert np.abs((phi * others).sum(1) + psi - best).min() > 1e-3  # another class's is another


def test_spherical_interpolation_turns_by_a_share_of_the_angle(normal):
    """In the plane it is a rotation, and lengths that differ are mixed, opposed as the ends may be."""
    angles, share = np.array([0.3, 1.2, 3.14]), np.array([0.25, 0.5, 0.9])
    start = jnp.tile(jnp.array([[2.0, 0.0]]), (3, 1))
    end = jnp.asarray(5 * np.stack([np.cos(angles), np.sin(angles)], 1), jnp.float32)
    found = gan_controls.spherical_interpolation(start, end, jnp.asarray(share, jnp.float32))
    length = 2 * (1 - share) + 5 * share
    turned = length[:, None] * np.stack([np.cos(share * angles), np.sin(share * angles)], 1)
    np.testing.assert_allclose(found, turned, rtol=1e-4, atol=1e-4)
    a, b = normal(4, 101), 3 * normal(4, 101)[::-1]
    ends = (jnp.zeros(4), jnp.ones(4))
    for at, expected in zip(ends, (a, b), strict=True):
        np.testing.assert_allclose(
            gan_controls.spherical_interpolation(a, b, at), expected, rtol=1e-4, atol=1e-5
        )


def test_spherical_interpolation_has_a_bound_where_vectors_oppose_each_other_or_are_none():
    share = jnp.full(3, 0.5)
    start = jnp.array([[1.0, 0.001], [1.0, 0.0], [0.0, 0.0]])
    end = jnp.array([[-1.0, -0.0011], [-1.0, 0.0], [1.0, 0.0]])
    found = np.asarray(gan_controls.spherical_interpolation(start, end, share))
    assert np.linalg.norm(found, axis=1).max() < 1.001 and np.all(np.isfinite(found))
    assert np.linalg.norm(found[0]) == pytest.approx(1.0, rel=1e-3)


def test_spherical_interpolation_of_a_vector_and_itself_stays_there(normal):
    a = normal(3, 7)
    found = gan_controls.spherical_interpolation(a, a, jnp.full(3, 0.4))
    np.testing.assert_allclose(found, a, rtol=1e-4, atol=1e-6)


def test_truncated_normal_has_the_quantiles_of_scipy_s():
    u = np.random.default_rng(1).uniform(-1, 1, (3, 1009))
    threshold = np.array([0.3, 1.0, 8.0])
    found = gan_controls.truncated_normal(
        jnp.asarray(u, jnp.float32), jnp.asarray(threshold, jnp.float32)
    )
    expected = [
        stats.truncnorm(-t, t).ppf((row + 1) / 2) for t, row in zip(threshold, u, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert np.all(np.abs(found) <= threshold[:, None])
