"""What the tests of the equations share: one way to check a gradient, one way to make arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads


@pytest.fixture
def normal():
    """Standard normal arrays of a given shape, the same in every run."""
    rng = np.random.default_rng(0)
    return lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)


@pytest.fixture
def gradient_holds():
    """The reverse derivative against finite differences, in float64 to be strict."""

    def holds(function, *arguments):
        with jax.enable_x64(True):
            wide = tuple(np.asarray(a, np.float64) for a in arguments)
            # jit, since check_grads calls with NumPy arrays and the equations take jax's only.
            check_grads(jax.jit(function), wide, 1, modes=["rev"], atol=1e-6, rtol=1e-6)

    return holds


@pytest.fixture
def finite_at_extremes():
    """Value and gradient of a per-example function are finite for every pair of huge logits."""

    def finite(function, count):
        extremes = np.asarray([-1e4, -88.0, 0.0, 88.0, 1e4], np.float32)
        grids = tuple(np.ravel(grid) for grid in np.meshgrid(*[extremes] * count))

        @jax.jit
        def both(*grids):
            value, pull_back = jax.vjp(function, *grids)
            return value, pull_back(jnp.ones_like(value))

        for array in jax.tree.leaves(both(*grids)):
            assert np.all(np.isfinite(array))

    return finite
