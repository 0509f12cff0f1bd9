"""Each kind of call that a run makes on its disk, refused once in each way a machine has."""

import errno
import os
import re

import numpy as np
import pytest

from .conftest import RUN, attempts, bits, only_sentences

SHORT = [*RUN, "--steps", "12", "--eval-every", "12", "--checkpoint-every", "4"]
KINDS = ("open", "write", "mkdir", "rename", "fsync")
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE)


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """(bits of the run that nothing happens to, how many calls of each kind it makes)."""
    root, calls = tmp_path_factory.mktemp("whole"), {}
    logs = tmp_path_factory.mktemp("logs")
    for kind in KINDS:
        log = logs / kind
        run = [*SHORT, "--runs", root, "--name", kind]
        assert server.run(run, log, (f"{root}/", kind, 0, 0, 0)) == 0
        calls[kind] = int(re.findall(r"calls (\d+)", log.read_text())[-1])
    return bits(root / KINDS[0]), calls


@pytest.mark.timeout(240 + 60 * attempts(3))
def test_a_call_that_fails_ends_in_a_sentence_and_the_run_goes_on(server, whole, tmp_path, table):
    """With a status other than 0, or not at all where nothing that matters was refused."""
    expected, calls = whole
    rng = np.random.default_rng(2)
    for trial in range(attempts(3)):
        kind, number = KINDS[trial % 5], NUMBERS[(trial + trial // 5) % 5]
        n = int(rng.integers(1, calls[kind] + 1))
        forever = number in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)  # such troubles last
        root = tmp_path / str(trial)
        root.mkdir()
        log, run = tmp_path / f"log-{trial}", [*SHORT, "--runs", root, "--name", "run"]
        status = server.run(run, log, (f"{root}/", kind, n, number, int(forever)))
        what = (kind, os.strerror(number), n, status, log.read_text()[-4000:])
        survived = status == 2 and only_sentences(log) if status else True
        if (root / "run").exists():
            again = tmp_path / f"log-{trial}-resumed"
            resumed = server.run(["train", "--resume", "run", "--runs", root], again)
            survived &= resumed == 0 and bits(root / "run") == expected
            what = (*what, resumed, again.read_text()[-2000:])
        table.setdefault("calls that fail", []).append(survived)
        if not survived:
            print(*what, sep="\n")
    assert all(table["calls that fail"])
