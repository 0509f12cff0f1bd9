"""A batch in pieces is the whole batch: four devices, three pieces, and three pieces on each of four.

B is 24: 6 examples on a device, 8 in a piece, 2 in a device's piece.
"""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.training.batch import (
    PIECES,
    all_examples,
    batch_size,
    every,
    mean_over_batch,
    own_examples,
    sum_over_batch,
)

B = 24
RNG = np.random.default_rng(7)
VALUES = RNG.standard_normal((B, 3)).astype(np.float32) + 2
CODES = RNG.integers(0, 5, B).astype(np.int32)

# A process of its own, since the number of devices is fixed when jax starts. What each piece finds comes
# back with all pieces' answers side by side: (devices, pieces, ...).
SCRIPT = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from jaxgen.training.batch import *
from jaxgen.training.batch import DEVICES, PIECES
from jaxgen.training.gradient import Aux, gradient
from jaxgen.training.metrics import Mean

values, codes = (jnp.asarray(part) for part in json.loads(sys.argv[1]))
whole = {"values": values, "codes": codes}

def look(batch):
    size = batch_size(batch)
    own = own_examples(whole, size)
    return {
        "mean": mean_over_batch(batch["values"]),
        "sum": sum_over_batch(batch["values"]),
        "counts": sum_over_batch(jax.nn.one_hot(batch["codes"], 5, dtype=jnp.int32)),
        "own": own, "batch": batch, "all": all_examples(batch),
    }

def in_pieces(batch, count):
    def piece(i):
        return look(jax.tree.map(every(count, i), batch))
    return jax.vmap(piece, axis_name=PIECES)(jnp.arange(count))

def on_devices(program):
    parts = jax.tree.map(lambda leaf: leaf.reshape(4, -1, *leaf.shape[1:]), whole)
    return jax.pmap(program, DEVICES)(parts)

def loss(params, extra, batch, keys):  # w² times the variance
    scaled = params["w"] * batch["values"][:, 0]
    squares = (scaled - mean_over_batch(scaled)) ** 2
    return squares.mean(), Aux({"loss": Mean.of(squares)}, {"mean": mean_over_batch(scaled)})

def slope(batch, accumulate, axis):
    keys = example_keys(jax.random.key(0), batch, axis)
    grads, aux = gradient(
        loss, {"w": jnp.float32(1.5)}, {"mean": jnp.float32(0)}, batch, keys,
        accumulate=accumulate, axis=axis,
    )
    return {"slope": grads["w"], "loss": aux.metrics["loss"], "extra": aux.extra["mean"]}

lead = lambda tree, count: jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape), tree)
found = {
    "whole": lead(lead(jax.jit(look)(whole), 1), 1),
    "devices": jax.tree.map(lambda leaf: leaf[:, None], on_devices(look)),
    "pieces": jax.tree.map(lambda leaf: leaf[None], jax.jit(lambda b: in_pieces(b, 3))(whole)),
    "both": on_devices(lambda batch: in_pieces(batch, 3)),
}
slopes = {
    "whole": jax.jit(lambda b: slope(b, 1, None))(whole),
    "devices": on_devices(lambda batch: slope(batch, 1, DEVICES)),
    "pieces": jax.jit(lambda b: slope(b, 3, None))(whole),
    "both": on_devices(lambda batch: slope(batch, 3, DEVICES)),
}
print(json.dumps(jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), [found, slopes])))
"""
CUTS = {"whole": (1, 1), "devices": (4, 1), "pieces": (1, 3), "both": (4, 3)}


@pytest.fixture(scope="module")
def answers():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "4"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([VALUES.tolist(), CODES.tolist()])],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("cut", CUTS)
def test_statistics_are_of_the_whole_batch_in_every_piece(answers, cut):
    """NumPy's, of all 24; counts of codes to the last one."""
    found = answers[0][cut]
    wide = VALUES.astype(np.float64)
    for name, expected in (("mean", wide.mean(0)), ("sum", wide.sum(0))):
        each = np.asarray(found[name])
        assert each.shape == (*CUTS[cut], 3)
        # 24 float32 numbers of about 2, added in any order
        np.testing.assert_allclose(each, np.broadcast_to(expected, each.shape), rtol=1e-6)
    counts = np.asarray(found["counts"])
    np.testing.assert_array_equal(
        counts, np.broadcast_to(np.bincount(CODES, minlength=5), (*CUTS[cut], 5))
    )


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_carried_for_each_example_meets_its_example(answers, cut):
    """Each piece takes its own rows of the whole, and all together give the whole back, bit for bit."""
    found = answers[0][cut]
    for name, whole in (("values", VALUES), ("codes", CODES)):
        own, batch, everything = (
            np.asarray(found[part][name], whole.dtype) for part in ("own", "batch", "all")
        )
        assert own.shape[:3] == (*CUTS[cut], B // np.prod(CUTS[cut]))
        np.testing.assert_array_equal(own, batch)
        np.testing.assert_array_equal(
            everything, np.broadcast_to(whole, (*CUTS[cut], *whole.shape))
        )
    rows = np.asarray(found["batch"]["values"]).reshape(B, 3)
    assert len(np.unique(rows[:, 0])) == B  # no example twice, none left out


@pytest.mark.parametrize("cut", CUTS)
def test_the_gradient_goes_through_the_statistics(answers, cut):
    """The loss is w² times the variance of x, so its slope is 2 w Var(x); w is 1.5."""
    found = answers[1][cut]
    variance, mean = VALUES[:, 0].var(dtype=np.float64), VALUES[:, 0].mean(dtype=np.float64)
    np.testing.assert_allclose(
        found["slope"], np.full(np.shape(found["slope"]), 3 * variance), rtol=1e-5
    )
    total, count = (np.ravel(part) for part in found["loss"])
    np.testing.assert_allclose(total / count, 2.25 * variance, rtol=1e-5)
    np.testing.assert_array_equal(count, B)
    np.testing.assert_allclose(
        found["extra"], np.full(np.shape(found["extra"]), 1.5 * mean), rtol=1e-6
    )


def test_places_by_hand():
    """Three strided pieces of six: 0 3, 1 4, 2 5; what they carry goes back to these places."""
    rows = jnp.asarray([10, 11, 12, 13, 14, 15])
    assert [every(3, i)(rows).tolist() for i in range(3)] == [[10, 13], [11, 14], [12, 15]]
    own = jax.vmap(lambda i: own_examples(rows, 2), axis_name=PIECES)(jnp.arange(3))
    assert own.tolist() == [[10, 13], [11, 14], [12, 15]]
    back = jax.vmap(all_examples, axis_name=PIECES, out_axes=None)(own)
    assert back.tolist() == rows.tolist()


def test_outside_of_any_cut_they_are_plain_numpy():
    values = jnp.asarray([[1.0, 2.0], [3.0, 6.0]])
    assert mean_over_batch(values).tolist() == [2.0, 4.0]
    assert sum_over_batch(values).tolist() == [4.0, 8.0]
    assert own_examples(values, 2).tolist() == all_examples(values).tolist() == values.tolist()
    assert batch_size({"x": values, "y": values[:, 0]}) == 2
