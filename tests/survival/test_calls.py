"""Each kind of call that a run makes on its disk, refused once in each way a machine has."""

import errno
import os

import numpy as np
import pytest

from .conftest import RUN, attempts, bits, only_sentences

pytestmark = pytest.mark.once

SHORT = [*RUN, "--steps", "12", "--eval-every", "12", "--checkpoint-every", "4"]
# As many of each kind as such a run makes, or somewhat fewer.
CALLS = {"open": 50, "write": 70, "mkdir": 20, "rename": 20, "fsync": 100}
KINDS = tuple(CALLS)
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE)


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """The bits of the run that nothing happens to."""
    root = tmp_path_factory.mktemp("whole")
    assert server.run([*SHORT, "--runs", root, "--name", "run"], root / "log") == 0
    return bits(root / "run")


@pytest.mark.timeout(240 + 120 * attempts(2))
def test_a_call_that_fails_ends_in_a_sentence_and_the_run_goes_on(server, whole, tmp_path, table):
    """With a status other than 0, or not at all where nothing that matters was refused."""
    rng = np.random.default_rng(2)
    for trial in range(attempts(2)):
        kind, number = KINDS[trial % 5], NUMBERS[(trial + trial // 5) % 5]
        n = int(rng.integers(1, CALLS[kind] + 1))
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
            survived &= resumed == 0 and bits(root / "run") == whole
            what = (*what, resumed, again.read_text()[-2000:])
        table.setdefault("calls that fail", []).append(survived)
        if not survived:
            print(*what, sep="\n")
    assert all(table["calls that fail"])
