"""Each kind of call that a run makes on its disk, refused once in each way a machine has."""

import errno
import os
import time

import numpy as np
import pytest

from .conftest import RUN, attempts, bits, only_sentences, resume

pytestmark = pytest.mark.once

# As many of each kind as such a run makes, or somewhat fewer.
CALLS = {"open": 90, "write": 120, "mkdir": 38, "rename": 36, "fsync": 180}
KINDS = tuple(CALLS)
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE)
END_SECONDS = 10.0  # from the call to the end, at most


@pytest.mark.timeout(240 + 120 * attempts(2))
def test_a_call_that_fails_ends_in_a_sentence_and_the_run_goes_on(server, whole, tmp_path, table):
    """With a status other than 0, or not at all where nothing that matters was refused."""
    if server.library is None:
        pytest.skip("no gcc here, to make calls fail with")
    rng, rows, longest = np.random.default_rng(2), table.setdefault("calls that fail", []), 0.0
    for trial in range(attempts(2)):
        kind, number = KINDS[trial % 5], NUMBERS[(trial + trial // 5) % 5]
        n = int(rng.integers(1, CALLS[kind] + 1))
        forever = number in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)  # such troubles last
        root = tmp_path / str(trial)
        root.mkdir()
        log, run = tmp_path / f"log-{trial}", [*RUN, "--runs", root, "--name", "run"]
        begin = time.monotonic()
        status = server.run(run, log, (f"{root}/", kind, n, number, int(forever)))
        seconds = time.monotonic() - begin
        longest = max(longest, seconds)
        what = (kind, os.strerror(number), n, status, seconds, log.read_text()[-4000:])
        survived = status == 2 and only_sentences(log) if status else status == 0
        survived &= seconds < whole.seconds + END_SECONDS
        if (root / "run").exists():
            again = tmp_path / f"log-{trial}-resumed"
            resumed = server.run(resume(root), again)
            survived &= resumed == 0 and bits(root / "run") == whole.bits
            what = (*what, resumed, again.read_text()[-2000:])
        rows.append(survived)
        if not survived:
            print(*what, sep="\n")
    print(f"the longest took {longest:.1f} s, a run that nothing happens to {whole.seconds:.1f} s")
    assert all(rows)
