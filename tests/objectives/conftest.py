"""Many small programs are compiled, each to run once: without optimisation this takes half the time."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def compile_quickly():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
