"""Every fault in a checkpoint is found, and the step before serves."""

import functools
import json
import os
import re
import shutil

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.runs import stored
from jaxgen.runs.checkpoint import Checkpoints

from .states import CONFIG, assert_equal, make_state, names, reseal, restore


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
