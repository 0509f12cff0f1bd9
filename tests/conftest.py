"""Strict numerics for every test: no silent broadcasting over ranks, no NaN unless asked for."""

import os
from pathlib import Path

import jax
import pytest

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
