"""Strict numerics for every test: no silent broadcasting over ranks, no NaN unless asked for."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

# Most programs of the tests run once or twice: they are compiled without optimisation, and kept beside
# pytest's own cache for whoever needs one again. Each worker has its folder, since jax does not write
# these files in one piece. The tests run on the CPU: an installed libtpu would look for chips that are
# not there. All of it holds for the processes that tests start, too.
CACHE = Path(__file__).parents[1] / ".pytest_cache/compiled"
SETTINGS = {
    "JAX_COMPILATION_CACHE_DIR": str(CACHE / os.environ.get("PYTEST_XDIST_WORKER", "main")),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_PLATFORMS": "cpu",
}
for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)
# The older code generator of XLA:CPU compiles a GPT's step in a third of the time, to slower code; newer
# jax has it no more. Two programs of one mathematics may round otherwise under it: who compares their
# bits asks for `usual_compiler`.
OLDER_GENERATOR = "--xla_cpu_use_fusion_emitters=false"
USUAL_FLAGS = os.environ.get("XLA_FLAGS", "").replace(OLDER_GENERATOR, "")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_platforms", os.environ["JAX_PLATFORMS"])

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_nans", True)


# One worker takes a file after the other; who begins with the longest ends with a short one.
LONGEST = (
    "test_readme", "test_presets", "test_aot", "test_runner", "test_plan", "test_processes",
    "test_api", "test_launch", "test_from_run", "test_steps", "test_disks", "test_decoding",
    "test_guards", "test_cli", "test_rules", "test_extra", "test_equations", "test_feed",
)  # fmt: skip


def pytest_addoption(parser):
    parser.addoption(
        "--brief", action="store_true", help="on a second Python: not what is marked `first`"
    )


def pytest_collection_modifyitems(config, items):
    if config.option.brief:
        left = [item for item in items if item.get_closest_marker("first")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("first")]
    names = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: names.get(item.path.stem, len(LONGEST)))


def pytest_configure(config):
    """Without the tests that train to the end, what counts is how long programs take to compile."""
    if config.option.markexpr == "not once" and jax.__version_info__ < (0, 11):
        os.environ["XLA_FLAGS"] = f"{USUAL_FLAGS} {OLDER_GENERATOR}".strip()


@pytest.fixture(autouse=True, scope="session")
def without_curves():
    """Nobody looks at the curves of most runs, and to draw them takes a quarter of a tiny one's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgen.runs.loop.plot_curves", lambda run: None)
        yield


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
def optimised():
    """For modules that measure, train to the end, or ask what XLA makes of a program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JAX_DISABLE_MOST_OPTIMIZATIONS")
        patch.setenv("XLA_FLAGS", USUAL_FLAGS)  # of this process they are read once
        jax.config.update("jax_disable_most_optimizations", False)
        yield
        jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module")
def usual_compiler():
    """For processes that a module starts and whose bits it compares."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", USUAL_FLAGS)
        yield
