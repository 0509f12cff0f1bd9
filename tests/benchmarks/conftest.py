"""What the benchmarks time and compile is what a person runs: optimised."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _optimised(optimised):
    """In every module of this folder."""
