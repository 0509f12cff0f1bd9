"""The forward algorithm against a sum over every path of states."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.markov import forward_log_probs

K, T = 3, 5
RNG = np.random.default_rng(0)
INITIAL, TRANSITION = RNG.dirichlet(np.ones(K)), RNG.dirichlet(np.ones(K), K)
LIKELIHOODS = RNG.random((T, K)) * 3  # densities may exceed 1


def log_likelihood(likelihoods):
    """Of the first steps, over all K^t paths."""
    total = 0.0
    for path in itertools.product(range(K), repeat=len(likelihoods)):
        p = INITIAL[path[0]]
        for before, after in itertools.pairwise(path):
            p *= TRANSITION[before, after]
        total += p * np.prod([likelihoods[t][k] for t, k in enumerate(path)])
    return np.log(total)


def found(likelihoods):
    arrays = (INITIAL, TRANSITION, likelihoods)
    return np.asarray(forward_log_probs(*(jnp.asarray(np.log(a), jnp.float32) for a in arrays)))


def test_each_step_is_a_ratio_of_sums_over_all_paths():
    sums = [0.0, *(log_likelihood(LIKELIHOODS[:t]) for t in range(1, T + 1))]
    np.testing.assert_allclose(found(LIKELIHOODS), np.diff(sums), rtol=1e-5, atol=1e-6)


def test_a_missing_symbol_is_summed_out_and_channels_multiply():
    """With likelihood 1 a step says nothing; two channels are the product of their likelihoods."""
    gap = LIKELIHOODS.copy()
    gap[2] = 1.0
    np.testing.assert_allclose(found(gap).sum(), log_likelihood(gap), rtol=1e-5)
    assert abs(found(gap)[2]) < 1e-6
    other = RNG.random((T, K))
    both = found(LIKELIHOODS * other)
    np.testing.assert_allclose(both.sum(), log_likelihood(LIKELIHOODS * other), rtol=1e-5)


def test_gradient(gradient_holds):
    gradient_holds(forward_log_probs, *map(np.log, (INITIAL, TRANSITION, LIKELIHOODS)))


def test_one_state_is_independent_draws_and_an_unseen_start_is_allowed():
    one = forward_log_probs(jnp.zeros(1), jnp.zeros((1, 1)), jnp.asarray([[-1.0], [-2.0]]))
    assert one.tolist() == [-1.0, -2.0]
    certain = jnp.asarray([0.0, -jnp.inf])  # begins in the first state and stays
    stays = jnp.asarray([[0.0, -jnp.inf], [-jnp.inf, 0.0]])
    steps = forward_log_probs(certain, stays, jnp.asarray([[-1.0, 5.0], [-3.0, 7.0]]))
    assert steps.tolist() == pytest.approx([-1.0, -3.0])
