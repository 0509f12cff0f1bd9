"""States of random bits, and what the tests of checkpoints do with them."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import (
    describe,
)
from jaxgen.runs.seal import own_digest
from jaxgen.training.state import State

CONFIG = {
    "format": 1, "experiment": "vae",
    "fields": {"steps": 9, "seed": 0, "model": {"hidden_sizes": [30], "latent_size": 3}},
}  # fmt: skip


def make_state(step: int, width: int = 30) -> State:
    """Random bits in every dtype that a state has; each step's are its own."""
    rng = np.random.default_rng(step)
    params = {
        "dense": {"kernel": rng.standard_normal((20, width)).astype(np.float32)},
        "scale": rng.standard_normal(7).astype(jnp.bfloat16),
        "words": rng.integers(0, 2**32, (500,), dtype=np.uint32),
    }
    opt_state = ({"mu": rng.standard_normal(5).astype(np.float32)}, np.int32(step), ())
    tree = jax.tree.map(jnp.array, (jnp.int32(step), params, opt_state))
    return State(*tree, jax.random.key(step), jnp.zeros((), jnp.int32))


def assert_equal(ours: State, theirs: State):
    assert describe(ours, 0) == describe(theirs, 0)


def restore(folder, **options):
    with Checkpoints(folder, config=CONFIG, **options) as checkpoints:
        return checkpoints.restore(make_state(0))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def reseal(path, change):
    """Edit a manifest and give it the digest that it then should have."""
    fields = json.loads((path / "manifest.json").read_text())
    fields.pop("sha256")
    change(fields)
    (path / "manifest.json").write_text(json.dumps(fields | {"sha256": own_digest(fields)}))
