"""Strict numerics for every test: no silent broadcasting over ranks, no NaN unless asked for."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

# Compiled programs are kept beside pytest's own cache: the second run of the tests is quicker.
CACHE = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))

# The tests run on the CPU, and so do the processes they start, unless $JAX_PLATFORMS says otherwise:
# an installed libtpu would look for chips that are not there.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
jax.config.update("jax_platforms", os.environ["JAX_PLATFORMS"])

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_nans", True)


@pytest.fixture
def allow_nans():
    """For tests that show what a wrong form does: NaN is then the expected value."""
    with jax.debug_nans(False):
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets named by $JAXGEN_DATA; skips where there is none."""
    folder = os.environ.get("JAXGEN_DATA")
    if not folder:
        pytest.skip("$JAXGEN_DATA is not set: no folder of real data sets here")
    return Path(folder)


@pytest.fixture(scope="session")
def random_params():
    """Random parameters for a module: none is zero, so no term can hide; nothing is compiled."""

    def draw(module, *inputs, scale=0.5, seed=0):
        shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
        rng = np.random.default_rng(seed)
        return jax.tree.map(
            lambda leaf: jnp.asarray(scale * rng.standard_normal(leaf.shape), jnp.float32), shapes
        )

    return draw


@pytest.fixture(scope="module")
def compile_quickly():
    """For modules of many programs that each run once: without optimisation, in half the time."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
