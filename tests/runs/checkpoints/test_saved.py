"""What is saved comes back to the bit; another model, clock or version is told."""

import functools
import hashlib
import itertools
import json
import re
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import (
    Manifest,
    by_path,
    config_differences,
    describe,
    digest,
    to_host,
)
from jaxgen.training.state import State

from .states import CONFIG, assert_equal, make_state, names, reseal, restore

# ---- What is saved comes back


def test_checkpoints_keep_the_newest_and_give_back_every_bit(tmp_path):
    with Checkpoints(tmp_path / "checkpoints", keep=2) as checkpoints:
        assert checkpoints.latest is None and checkpoints.is_empty
        for step in (3, 5, 8):
            checkpoints.save(make_state(step))
        assert checkpoints.latest == 8
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.latest == 8 and not checkpoints.is_empty
        assert_equal(checkpoints.restore(make_state(0)), make_state(8))
        assert_equal(checkpoints.restore(make_state(0), step=5), make_state(5))
        with pytest.raises(UserError, match=r"has no step 3: .*\(5, 8\)"):
            checkpoints.restore(make_state(0), step=3)
    assert names(tmp_path / "checkpoints") == ["5", "8"]


def test_training_on_does_not_change_what_is_being_saved(tmp_path, allow_nans):
    """The save is asynchronous and the next step overwrites the donated buffers.

    (jax donates nothing while it looks for NaNs.)
    """

    @functools.partial(jax.jit, donate_argnums=0)
    def forward(state):
        return state._replace(step=state.step + 1, params=state.params + 1.0)

    zero = functools.partial(jnp.zeros, (), jnp.int32)
    state = forward(State(zero(), jnp.zeros((2000, 2000)), (), jax.random.key(0), zero()))
    with Checkpoints(tmp_path / "checkpoints", keep=3) as checkpoints:
        for _ in range(3):
            checkpoints.save(state)
            for _ in range(3):
                state = forward(state)
    with Checkpoints(tmp_path / "checkpoints", keep=3) as checkpoints:
        restored = checkpoints.restore(state)
    assert int(restored.step) == 7
    np.testing.assert_array_equal(restored.params, np.full((2000, 2000), 7.0))


def test_the_best_stays_beside_the_newest(tmp_path):
    losses = {1: 0.5, 2: 0.1, 3: 0.4, 4: float("nan"), 5: 0.1, 6: None, 7: 0.3}
    with Checkpoints(tmp_path, keep=2, best="loss") as checkpoints:
        assert checkpoints.best is None
        for step, loss in losses.items():
            checkpoints.save(
                make_state(step), None if loss is None else {"loss": loss, "other": 0.0}
            )
    with Checkpoints(tmp_path, best="loss") as checkpoints:  # another process reads it from disk
        assert checkpoints.best == 2 and checkpoints.latest == 7
        assert_equal(checkpoints.restore(make_state(0), step=checkpoints.best), make_state(2))
    assert names(tmp_path) == ["2", "6", "7"]
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best is None  # no metric was named


def test_the_manifest_says_what_numpy_says(saved):
    """Digests of the bytes as NumPy lays them out; of a key, its words."""
    manifest = json.loads((saved / "8" / "manifest.json").read_text())
    state = make_state(8)
    kernel = np.asarray(state.params["dense"]["kernel"])
    words = np.asarray(jax.random.key_data(state.key)).astype("<u4").tobytes()
    assert manifest["leaves"]["params/dense/kernel"] == {
        "shape": [20, 30], "dtype": "float32",
        "sha256": hashlib.sha256(kernel.astype("<f4").tobytes()).hexdigest(),
    }  # fmt: skip
    assert manifest["leaves"]["key"]["sha256"] == hashlib.sha256(words).hexdigest()
    assert manifest["leaves"]["key"]["dtype"] == "key<fry>"  # threefry2x32, as jax prints it
    assert set(manifest["leaves"]) == {
        "step", "params/dense/kernel", "params/scale", "params/words", "opt_state/0/mu",
        "opt_state/1", "key", "skipped",
    }  # fmt: skip
    assert manifest["config"] == CONFIG and manifest["metrics"] == {"loss": 0.125}
    assert digest(kernel.T) == digest(np.ascontiguousarray(kernel.T)) != digest(kernel)


def test_a_manifest_comes_back_from_json_and_shows_any_change():
    text = describe(make_state(3), 3, CONFIG, {"loss": 0.1}).to_json()
    assert Manifest.from_json(text) == describe(make_state(3), 3, CONFIG, {"loss": 0.1})
    changes = 0
    for match in re.finditer(r'[0-9a-z]+(?=["\],\n])', text):
        at = match.start()
        changed = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]
        with pytest.raises(ValueError):  # not JSON any more, or its own digest tells
            Manifest.from_json(changed)
        changes += 1
    assert changes > 50


# ---- Another model


def refusal(folder, like, fields=None, **config):
    config = CONFIG | {"fields": CONFIG["fields"] | (fields or {})} | config
    with Checkpoints(folder, config=config) as checkpoints, pytest.raises(UserError) as caught:
        checkpoints.restore(like)
    return str(caught.value)


def test_another_model_is_refused_with_the_leaf_and_the_field(folder, capfd):
    other = {"steps": 20, "model": {"hidden_sizes": (31,), "latent_size": 3}}
    said = refusal(folder, make_state(0, width=31), other)
    assert said == (
        f"{folder}/8 has params/dense/kernel as float32[20,30], and this model as float32[20,31]: "
        "probably because --model.hidden-sizes is [30] there and [31] here; change it back, or start "
        "another run."
    )
    like = make_state(0)
    half = like._replace(params=like.params | {"scale": jnp.zeros(7, jnp.float16)})
    said = refusal(folder, half)
    assert "has params/scale as bfloat16[7], and this model as float16[7]: no field differs" in said
    averaged = like._replace(ema=like.params)
    said = refusal(folder, averaged, {"ema": True})
    assert (
        "has ema/dense/kernel as nothing, and this model as float32[20,30] (2 more leaves" in said
    )
    assert "--ema is None there and True here" in said
    fewer = like._replace(params={"scale": like.params["scale"]})
    assert "and this model as nothing" in refusal(folder, fewer)
    key = like._replace(key=jax.random.key(0, impl="rbg"))
    assert "has key as key<fry>[], and this model as key<rbg>[]" in refusal(folder, key)
    said = refusal(folder, make_state(0, width=31), experiment="gan")
    assert "it is a checkpoint of vae, not of gan" in said
    assert names(folder) == ["4", "8"] and capfd.readouterr().err == ""


def test_another_model_is_refused_before_anything_but_the_manifest_is_read(folder):
    (folder / "8" / "state" / "_METADATA").unlink()
    assert refusal(folder, make_state(0, width=31)).startswith(
        f"{folder}/8 has params/dense/kernel"
    )


def test_config_differences_are_named_by_path():
    first = {"a": 1, "b": {"c": [1], "d": {"e": 2}}, "f": None}
    second = {"a": 1, "b": {"c": [2], "d": 3}, "g": 4}
    assert config_differences(first, second) == {
        "b.c": ([1], [2]), "b.d": ({"e": 2}, 3), "g": (None, 4),
    }  # fmt: skip
    assert config_differences(first, first) == {}


# ---- Clocks and versions


def test_a_clock_that_is_set_during_a_save_costs_that_checkpoint_alone(
    tmp_path, capfd, monkeypatch
):
    """Orbax measures its patience by the wall clock, here one that gains two hours a look."""
    looks = itertools.count(1)
    real = time.time
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(make_state(1))
        checkpoints.wait()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: real() + 7200 * next(looks))
            checkpoints.save(make_state(2))
            checkpoints.wait()
        said = capfd.readouterr().err
        assert re.match(r"warning: the clock was set by \d+ s while a checkpoint was saved", said)
        assert_equal(checkpoints.restore(make_state(0)), make_state(1))
        capfd.readouterr()
        checkpoints.save(make_state(3))
    assert_equal(restore(tmp_path), make_state(3))


def test_a_step_of_other_versions_says_that_bits_may_differ(folder, capfd):
    reseal(folder / "8", lambda fields: fields["versions"].update(jax="0.9.0"))
    assert_equal(restore(folder), make_state(8))
    (line,) = capfd.readouterr().err.splitlines()
    now = f"jax {jax.__version__}"
    assert line == f"warning: step 8 is of jax 0.9.0, here is {now}: bits may differ by some 1e-7"
    assert_equal(restore(folder, reader=True), make_state(8))
    assert capfd.readouterr().err == ""


# ---- Leaves


def test_leaves_have_the_paths_of_the_tree_and_keys_are_words():
    tree = {"a": {"b": jnp.arange(6.0)}, "c": [jax.random.key(3)]}
    assert set(by_path(tree)) == {"a/b", "c/0"}
    np.testing.assert_array_equal(to_host(tree["a"]["b"]), np.arange(6.0, dtype=np.float32))
    assert to_host(tree["c"][0]).tolist() == [0, 3]


# Two processes: `kernel` is split over them, so no process has all of it; the rest is whole in each.
JOB = """
import sys
from pathlib import Path
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.devices.processes import JobOptions, is_main, join, leave
from jaxgen.runs.manifest import describe
from jaxgen.training.state import State

join(JobOptions())
mesh = Mesh(np.array(jax.devices()), ("fsdp",))
parts = State(PartitionSpec(), {"kernel": PartitionSpec("fsdp"), "scale": PartitionSpec()}, (),
              PartitionSpec(), PartitionSpec())
places = jax.tree.map(lambda spec: NamedSharding(mesh, spec), parts)

def make(step):
    words = np.random.default_rng(step).integers(0, 2**32, (64, 50), dtype=np.uint32)
    params = {"kernel": jnp.asarray(words), "scale": jnp.float32(step)}
    return State(jnp.int32(step), params, (), jax.random.key(step), jnp.int32(0))

def spread(step):
    return jax.jit(lambda: jax.tree.map(jnp.asarray, make(step)), out_shardings=places)()

folder = Path(sys.argv[1])
with Checkpoints(folder) as checkpoints:
    for step in (4, 8):
        checkpoints.save(spread(step))
multihost_utils.sync_global_devices("saved")
if is_main():
    path = max(folder.glob("8/state/ocdbt.process_1/d/*"), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[data.index(np.asarray(make(8).params["kernel"])[40].tobytes()) + 6] ^= 1
    path.write_bytes(data)
multihost_utils.sync_global_devices("damaged")
with Checkpoints(folder) as checkpoints:
    state = checkpoints.restore(spread(0))
assert not state.params["kernel"].is_fully_addressable
assert describe(state, 4) == describe(make(4), 4)  # each process has gathered what NumPy made whole
leave()
"""


def test_two_processes_save_verify_and_fall_back_together(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--", "-c", JOB, str(tmp_path / "steps")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    assert len(warnings) == 1  # the first process speaks for both
    assert "is damaged at params/kernel: going on from step 4" in warnings[0]
    assert names(tmp_path / "steps") == ["4", "8.damaged"]
