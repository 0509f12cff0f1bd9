"""A full disk costs no checkpoint."""

import contextlib
import re
import resource
import subprocess

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.runs.checkpoint import Checkpoints

from .states import assert_equal, make_state, names


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
