"""Codes against NumPy in loops, and what their gradients are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import vector_quantisation as vq

B, T, V, D = 5, 3, 7, 2


def test_the_nearest_code_by_brute_force(normal):
    """Eq. (1), each distance as it is written; of two equal codes the first."""
    z, codes = normal(B, T, D), normal(V, D)
    codes = codes.at[6].set(codes[2])
    far = np.array(
        [
            [[((z[b, t] - codes[k]) ** 2).sum() for k in range(V)] for t in range(T)]
            for b in range(B)
        ]
    )
    np.testing.assert_allclose(vq.squared_distances(z, codes), far, rtol=1e-4, atol=1e-5)
    found = np.asarray(vq.nearest_code(z, codes))
    np.testing.assert_array_equal(found, far.argmin(-1))
    np.testing.assert_array_equal(vq.nearest_code(codes, codes), [0, 1, 2, 3, 4, 5, 2])
    assert (
        float(vq.squared_distances(codes * 1e3, codes * 1e3).min()) >= 0
    )  # never below, by rounding


def test_gradients_pass_a_code_as_if_it_were_not_there(normal):
    """Eq. (2): d/dz of f(q) is f'(q), not f'(z); no code has a gradient."""
    z, e, weights = normal(B, D), normal(B, D), normal(B, D)

    def value(z, e):
        return jnp.sum(weights * vq.straight_through(z, e) ** 2)

    np.testing.assert_allclose(vq.straight_through(z, e), e, rtol=1e-6, atol=1e-6)
    of_z, of_e = jax.grad(value, (0, 1))(z, e)
    np.testing.assert_allclose(of_z, 2 * weights * e, rtol=1e-5, atol=1e-6)
    assert not np.any(of_e)


def test_commitment_draws_vectors_to_codes_and_never_codes(normal):
    z, e = normal(B, D), normal(B, D)
    np.testing.assert_allclose(
        vq.commitment(z, e), [sum((z[b, d] - e[b, d]) ** 2 for d in range(D)) for b in range(B)],
        rtol=1e-5,
    )  # fmt: skip
    of_z, of_e = jax.grad(lambda z, e: vq.commitment(z, e).sum(), (0, 1))(z, e)
    np.testing.assert_allclose(of_z, 2 * (z - e), rtol=1e-5)
    assert not np.any(of_e)


def test_averages_follow_what_codes_stand_for(normal):
    """Eq. (4) in loops; with γ = 0 it is a step of k-means, Eq. (6)."""
    z, codes = normal(11, D), normal(V, D).at[3].set(99.0)
    k = np.asarray(vq.nearest_code(z, codes))
    counts, sums = vq.usage(z, jnp.asarray(k), V)
    by_hand = [np.asarray(z)[k == code] for code in range(V)]
    np.testing.assert_allclose(counts, [len(own) for own in by_hand])
    np.testing.assert_allclose(sums, [own.sum(0) for own in by_hand], rtol=1e-5, atol=1e-6)
    book = vq.Codebook(jnp.full(V, 2.0), 2.0 * codes)
    after = vq.moved(book, counts, sums, 0.9)
    np.testing.assert_allclose(after.counts, 0.9 * 2 + 0.1 * np.asarray(counts), rtol=1e-6)
    expected = (1.8 * codes + 0.1 * sums) / (1.8 + 0.1 * counts)[:, None]
    np.testing.assert_allclose(vq.codes_of(after), expected, rtol=1e-5)
    means = vq.lloyd_step(z, codes)
    used = np.asarray(counts) > 0
    np.testing.assert_allclose(
        vq.codes_of(vq.moved(book, counts, sums, 0.0))[used], means[used], rtol=1e-5
    )
    np.testing.assert_array_equal(means[3], codes[3])  # nobody's: it stays
    assert not used[3]


def test_k_means_finds_clusters_that_are_there():
    """From one vector of each cluster the codes become the clusters' means, and stay."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [5, 0], [0, 7]])
    vectors = jnp.asarray(centres[:, None] + 0.1 * rng.standard_normal((3, 20, 2)), jnp.float32)
    codes = vectors[:, 0]
    for _ in range(2):
        codes = vq.lloyd_step(vectors.reshape(-1, 2), codes)
    np.testing.assert_allclose(codes, vectors.mean(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("counts", "value"),
    [([4, 4, 4, 4], 4.0), ([0, 9, 0], 1.0), ([1, 1, 0, 2], 2**1.5), ([0, 0], 1)],
)
def test_perplexity_counts_the_codes_in_use(counts, value):
    """Eq. (5) by hand: entropies log 4, 0, (1 + ½) log 2; none used at all: 1."""
    found = vq.perplexity(jnp.asarray(counts, jnp.float32))
    assert float(found) == pytest.approx(value, rel=1e-5)


def test_a_dead_code_is_put_on_a_candidate(normal):
    counts = jnp.array([5.0, 0.1, 3.0, 0.0])
    book = vq.Codebook(counts, normal(4, D))
    candidates = normal(3, D)
    after, dead = vq.revived(book, candidates, 0.5)
    assert float(dead) == 2
    codes, before = vq.codes_of(after), vq.codes_of(book)
    np.testing.assert_array_equal(codes[0], before[0])
    np.testing.assert_array_equal(codes[2], before[2])
    np.testing.assert_allclose(codes[1], candidates[1], rtol=1e-6)
    np.testing.assert_allclose(codes[3], candidates[0], rtol=1e-6)  # three candidates, in a circle
    np.testing.assert_allclose(after.counts, [5.0, 2.025, 3.0, 2.025])


def test_codes_that_were_never_used_stay_finite():
    zero = vq.Codebook(jnp.zeros(V), jnp.zeros((V, D)))
    assert not np.any(np.asarray(vq.codes_of(zero)))
