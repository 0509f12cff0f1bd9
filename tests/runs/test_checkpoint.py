"""Checkpoints: every bit comes back, every fault is found, a full disk costs no checkpoint."""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.runs import stored
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import (
    Manifest,
    by_path,
    config_differences,
    describe,
    digest,
    to_host,
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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the steps 4 and 8."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    with Checkpoints(folder, config=CONFIG) as checkpoints:
        for step in (4, 8):
            checkpoints.save(make_state(step), {"loss": 1 / step})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(saved, tmp_path / "checkpoints")


def restore(folder, **options):
    with Checkpoints(folder, config=CONFIG, **options) as checkpoints:
        return checkpoints.restore(make_state(0))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


# ---- Damage


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)


def file_faults(step):
    """(what, file, how) for each file of a step: bits flipped all over it, cut, emptied, deleted."""
    rng = np.random.default_rng(0)
    for path in sorted(path for path in step.rglob("*") if path.is_file()):
        name, bits = path.relative_to(step).as_posix(), 8 * path.stat().st_size
        for position in {0, bits - 1, *rng.integers(0, max(bits, 1), 4).tolist()} if bits else ():
            yield f"flip bit {position} of {name}", name, functools.partial(flip, position=position)
        if bits:
            yield f"cut {name}", name, lambda path: path.write_bytes(path.read_bytes()[:-1])
            yield f"empty {name}", name, lambda path: path.write_bytes(b"")
        yield f"lengthen {name}", name, lambda path: path.write_bytes(path.read_bytes() + b"\0")
        yield f"delete {name}", name, lambda path: path.unlink()


@pytest.mark.first
def test_every_fault_in_every_file_is_found_and_the_step_before_serves(saved, tmp_path, capfd):
    injected = detected = 0
    for what, name, damage in file_faults(saved / "8"):
        folder = shutil.copytree(saved, tmp_path / str(injected))
        damage(folder / "8" / name)
        injected += 1
        restored = restore(folder)
        lines = capfd.readouterr().err.splitlines()
        found = len(lines) == 1 and f"/8: {name} is" in lines[0] and "from step 4" in lines[0]
        assert found and names(folder) == ["4", "8.damaged"], (what, lines)
        assert_equal(restored, make_state(4))
        detected += 1
        shutil.rmtree(folder)
    assert injected == detected > 80
    print(f"{injected} faults in files injected, {detected} detected")


def reseal(path, change):
    """Edit a manifest and give it the digest that it then should have."""
    fields = json.loads((path / "manifest.json").read_text())
    fields.pop("sha256")
    change(fields)
    (path / "manifest.json").write_text(json.dumps(fields | {"sha256": own_digest(fields)}))


def unsealed(step):
    """A step's manifest, taken out of it, so that it can be sealed again."""
    manifest = stored.read_manifest(step)
    (step / "manifest.json").unlink()
    return manifest


def edit_leaf(folder):
    def swap(fields):
        leaves = fields["leaves"]
        leaves["step"]["sha256"], leaves["skipped"]["sha256"] = (
            leaves["skipped"]["sha256"], leaves["step"]["sha256"],
        )  # fmt: skip

    reseal(folder / "8", swap)


def edit_text(folder):
    path = folder / "8" / "manifest.json"
    path.write_text(path.read_text().replace("bfloat16", "float16"))


def point_outside(folder):
    reseal(folder / "8", lambda fields: fields["files"].update({"../../secret": "0" * 64}))


def swap_data(folder):
    """Step 4's arrays in step 8: every file is sound in itself."""
    shutil.rmtree(folder / "8" / "state")
    shutil.copytree(folder / "4" / "state", folder / "8" / "state")


def swap_manifest(folder):
    shutil.copy(folder / "4" / "manifest.json", folder / "8" / "manifest.json")


def link(folder):
    path = folder / "8" / "state" / "_METADATA"
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")


def fill(folder):
    (folder / "9" / "state" / "d").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("manifest.json", "_CHECKPOINT_METADATA", "state/_METADATA", "state/d/0"):
        (folder / "9" / name).write_bytes(rng.bytes(300))


FOLDER_FAULTS = {  # what is done to the folder, the line's words, the step that serves
    "empty directory": (lambda f: (f / "9").mkdir(), "/9: manifest.json is missing", 8),
    "random files": (fill, "/9: manifest.json is damaged", 8),
    "copied step": (lambda f: shutil.copytree(f / "8", f / "9"), "/9: manifest.json is of step 8", 8),
    "no files but the manifest": (
        lambda f: [shutil.rmtree(f / "8" / "state"), (f / "8" / "commit_success.txt").unlink()],
        "/8: commit_success.txt is missing", 4,
    ),
    "no state": (lambda f: shutil.rmtree(f / "8" / "state"), "/8: state/_METADATA is missing", 4),
    "manifest is a directory": (
        lambda f: [(f / "8" / "manifest.json").unlink(), (f / "8" / "manifest.json").mkdir()],
        "/8: manifest.json is no file", 4,
    ),
    "manifest is a pipe": (
        lambda f: [(f / "8" / "manifest.json").unlink(), os.mkfifo(f / "8" / "manifest.json")],
        "/8: manifest.json is no file", 4,
    ),
    "manifest is a link": (
        lambda f: (f / "8" / "manifest.json").rename(f / "8" / "m")
        and (f / "8" / "manifest.json").symlink_to("m"),
        "/8: manifest.json is a symbolic link", 4,
    ),
    "pipe": (lambda f: os.mkfifo(f / "8" / "state" / "x"), "/8: state/x is a device or a pipe", 4),
    "metrics that are no numbers": (
        lambda f: reseal(f / "8", lambda fields: fields.update(metrics={"loss": "low"})),
        "/8: manifest.json is damaged", 4,
    ),
    "files that are a list": (
        lambda f: reseal(f / "8", lambda fields: fields.update(files=[])),
        "/8: manifest.json is damaged", 4,
    ),
    "leaf edited": (edit_leaf, "/8: state has other values at step, skipped", 4),
    "text edited": (edit_text, "/8: manifest.json is damaged", 4),
    "path outside": (point_outside, "/8: ../../secret is missing", 4),
    "arrays of another step": (swap_data, "/8: state/", 4),
    "manifest of another step": (swap_manifest, "/8: manifest.json is of step 4", 4),
    "link": (link, "/8: state/_METADATA is a symbolic link", 4),
    "orbax's temporary name": (
        lambda f: (f / "8").rename(f / "8.orbax-checkpoint-tmp"), "step 8 is not saved to its end", 4,
    ),
    "orbax's older temporary name": (
        lambda f: (f / "8").rename(f / "8.orbax-checkpoint-tmp-17"), "step 8 is not saved to its", 4,
    ),
    "our temporary name": (lambda f: (f / "8").rename(f / "8.saving"), "step 8 is not saved to its", 4),
    "both temporary names": (
        lambda f: (f / "8").rename(f / "8.saving.orbax-checkpoint-tmp"), "step 8 is not saved to", 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOLDER_FAULTS)
def test_a_fault_in_the_folder_is_found_and_saving_goes_on(folder, fault, capfd):
    damage, words, serves = FOLDER_FAULTS[fault]
    damage(folder)
    assert_equal(restore(folder), make_state(serves))
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line and f"going on from step {serves}" in line
    with Checkpoints(folder, keep=9, config=CONFIG) as checkpoints:
        for step in (8, 9):
            checkpoints.save(make_state(step))
    assert_equal(restore(folder), make_state(9))
    assert [name for name in names(folder) if name.isdigit()] == ["4", "8", "9"]
    assert not [name for name in names(folder) if "saving" in name]
    assert capfd.readouterr().err == ""


def test_a_flipped_bit_that_orbax_loads_is_found_and_its_leaf_named(folder, capfd):
    from orbax.checkpoint import v1 as orbax

    words = np.asarray(make_state(8).params["words"])
    (path,) = (folder / "8" / "state").glob("ocdbt.process_0/d/*")
    position = path.read_bytes().index(words[100:104].tobytes())
    flip(path, 8 * position + 5)
    loaded = orbax.load(folder / "8", make_state(0))  # without a word
    changed = np.asarray(loaded.params["words"])
    assert (
        changed[100] == words[100] ^ 32 and (np.delete(changed, 100) == np.delete(words, 100)).all()
    )
    assert_equal(restore(folder), make_state(4))
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{path.name} is damaged at params/words: going on from step 4" in line


def test_junk_does_not_pass_for_the_latest_and_is_moved_when_it_stands_in_the_way(folder, capfd):
    (folder / "12").mkdir()
    (folder / "12" / "mine.txt").write_text("keep me")
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.latest == 8
        checkpoints.save(make_state(12))
        assert checkpoints.latest == 12
        assert_equal(checkpoints.restore(make_state(0)), make_state(12))
    assert (folder / "12.damaged" / "mine.txt").read_text() == "keep me"
    assert names(folder) == ["12", "12.damaged", "8"]
    assert "12 was no checkpoint; it is now 12.damaged" in capfd.readouterr().err


def test_where_nothing_verifies_the_sentence_says_what_was_found_and_all_stays(folder, capfd):
    for step in ("4", "8"):
        (folder / step / "state" / "_METADATA").unlink()
    (folder / "9").mkdir()
    before = names(folder)
    with pytest.raises(UserError) as caught:
        restore(folder)
    assert re.fullmatch(
        r"No checkpoint in .* can be used \(step 9: manifest.json is missing; step 8: "
        r"state/_METADATA is missing.*; step 4: state/_METADATA is missing.*\): bring one back from "
        r"a copy, or start another run\.",
        str(caught.value),
    )
    assert names(folder) == before and capfd.readouterr().err == ""
    with Checkpoints(folder) as checkpoints, pytest.raises(UserError, match="step 8: state/_MET"):
        checkpoints.restore(make_state(0), step=8)


def test_a_newer_format_is_refused_not_passed_over(folder):
    reseal(folder / "8", lambda fields: fields.update(format=2, extra="unknown"))
    with pytest.raises(UserError, match=r"has format 2, and this jaxgen reads 1: use the version"):
        restore(folder)


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


# ---- Arrays that are not what the manifest says


def rewrite_kernel(state, shape, chunk):
    """The kernel as another array, of zeros, which take next to no room."""
    import tensorstore

    base = {"driver": "file", "path": f"{state}/"}
    grid = {"name": "regular", "configuration": {"chunk_shape": chunk}}
    tensorstore.open({
        "driver": "zarr3",
        "kvstore": {"driver": "ocdbt", "base": base, "path": "params.dense.kernel/"},
        "metadata": {"shape": shape, "chunk_grid": grid, "data_type": "float32"},
        "create": True, "delete_existing": True,
    }).result()  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "chunk"),
    [([10**6, 10**6], [20, 30]), ([20, 30], [10**6, 10**4]), ([20, 30, 2], [20, 30, 2])],
)
def test_an_array_larger_than_its_leaf_is_not_read(folder, capfd, shape, chunk):
    """4 TB, or a chunk of 40 GB, which would be unpacked whole; files and digests all agree."""
    rewrite_kernel(folder / "8" / "state", shape, chunk)
    stored.seal(folder / "8", unsealed(folder / "8"))
    assert_equal(restore(folder), make_state(4))
    (line,) = capfd.readouterr().err.splitlines()
    assert "/8: state has params/dense/kernel in another shape than manifest.json" in line


def test_arrays_in_another_format_are_not_read(folder, capfd):
    path = folder / "8" / "state" / "_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_zarr3": False}))
    stored.seal(folder / "8", unsealed(folder / "8"))
    assert_equal(restore(folder), make_state(4))
    assert "state/_METADATA names another format than zarr 3" in capfd.readouterr().err


def test_a_manifest_of_17_mb_is_not_read(folder, capfd):
    path = folder / "8" / "manifest.json"
    path.write_text(path.read_text() + " " * 17_000_000)
    assert_equal(restore(folder), make_state(4))
    assert "/8: manifest.json is larger than 16 MB" in capfd.readouterr().err


def test_config_differences_are_named_by_path():
    first = {"a": 1, "b": {"c": [1], "d": {"e": 2}}, "f": None}
    second = {"a": 1, "b": {"c": [2], "d": 3}, "g": 4}
    assert config_differences(first, second) == {
        "b.c": ([1], [2]), "b.d": ({"e": 2}, 3), "g": (None, 4),
    }  # fmt: skip
    assert config_differences(first, first) == {}


# ---- A full disk


@contextlib.contextmanager
def small_disk(path):
    """A real disk of 3 MB; the state below takes half of one."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", path]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextlib.contextmanager
def small_files(limit):
    """No file of this process may grow beyond the limit (the kernel's EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def big_state(step):
    words = np.random.default_rng(step).integers(0, 2**32, (10, 12_000), dtype=np.uint32)
    return make_state(step)._replace(params=jnp.asarray(words))  # 480 kB that do not compress


def test_a_full_disk_stops_the_run_and_keeps_the_last_good_step(tmp_path, capfd):
    disk = tmp_path / "disk"
    with small_disk(disk):
        with (
            pytest.raises(UserError, match=r"disk of .*disk is full: make room"),
            Checkpoints(disk, keep=9) as checkpoints,
        ):
            for step in range(1, 9):
                checkpoints.save(big_state(step))
        with Checkpoints(disk, keep=9) as checkpoints:
            last = checkpoints.latest
            assert 2 <= last <= 6
            assert names(disk) == [str(step) for step in range(1, last + 1)]  # nothing partial
            assert_equal(checkpoints.restore(big_state(0)), big_state(last))
    assert capfd.readouterr().err == ""


def test_a_full_disk_may_be_passed_over(tmp_path, capfd):
    disk = tmp_path / "disk"
    with small_disk(disk):
        with Checkpoints(disk, keep=2, on_full="continue") as checkpoints:
            checkpoints.save(big_state(1))
            checkpoints.wait()
            (disk / "filler").write_bytes(bytes(2_300_000))
            checkpoints.save(big_state(2))
            checkpoints.wait()
            assert checkpoints.latest == 1 and names(disk) == ["1", "filler"]
            (line,) = capfd.readouterr().err.splitlines()
            assert re.fullmatch(
                r"warning: The disk of .* is full: this checkpoint .* goes on", line
            )
            (disk / "filler").unlink()
            checkpoints.save(big_state(3))
            assert checkpoints.latest == 3
        assert names(disk) == ["1", "3"]
        with Checkpoints(disk) as checkpoints:
            assert_equal(checkpoints.restore(big_state(0)), big_state(3))


def test_a_limit_on_files_is_a_full_disk_too(tmp_path, capfd):
    with Checkpoints(tmp_path, on_full="continue") as checkpoints:
        checkpoints.save(big_state(1))
        checkpoints.wait()
        with small_files(100_000):
            checkpoints.save(big_state(2))
            checkpoints.wait()
        # A thread of orbax's may still write into the draft while it is swept: the next save sweeps too.
        assert checkpoints.latest == 1
        assert [name for name in names(tmp_path) if name.isdecimal()] == ["1"]
        assert_equal(checkpoints.restore(big_state(0)), big_state(1))
        checkpoints.save(big_state(3))
    assert names(tmp_path) == ["1", "3"]
    assert "is full: this checkpoint was not saved" in capfd.readouterr().err


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
