"""Several processes at one run: one writes, and whoever likes reads."""

import os
import signal
import subprocess
import sys
import time

import pytest

from jaxgen.errors import UserError
from jaxgen.runs.lock import writing_alone

from .conftest import RUN, attempts, bits, only_sentences, resume

pytestmark = pytest.mark.once


def test_the_second_writer_is_told_of_the_first(tmp_path):
    with writing_alone(tmp_path):
        with pytest.raises(UserError) as refused, writing_alone(tmp_path):
            pass
        said = rf"{tmp_path} is being written by process {os.getpid()} on {os.uname().nodename}, since "
        assert str(refused.value).startswith(said)
    with writing_alone(tmp_path):  # the first has ended
        pass


HOLDER = """
import sys, time
from pathlib import Path
from jaxgen.runs.lock import writing_alone
with writing_alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_death_releases_the_lock(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout.readline() == b"held\n"
        refused = f"is being written by process {holder.pid} on"
        with pytest.raises(UserError, match=refused), writing_alone(tmp_path):
            pass
        holder.kill()
    with writing_alone(tmp_path):
        pass


@pytest.fixture(scope="module")
def training(server, tmp_path_factory):
    """The root of a run that goes on while others come to it."""
    root = tmp_path_factory.mktemp("training")
    never = str(2**30)
    endless = [*RUN, "--steps", never, "--eval-every", never, "--runs", root, "--name", "run"]
    pid = server.start(endless, root / "log")
    while not list((root / "run" / "checkpoints").glob("[0-9]*")):
        time.sleep(0.05)
    yield root
    os.kill(pid, signal.SIGTERM)
    assert server.wait(pid) == 130, (root / "log").read_text()


@pytest.mark.timeout(240 + 120 * attempts(1))
def test_second_writers_are_refused(server, training, tmp_path, table):
    for number in range(attempts(1)):
        log = tmp_path / f"log-{number}"
        status = server.run(["train", "--resume", "run", "--runs", training], log)
        refused = status == 2 and "run is being written by process" in log.read_text()
        assert refused and only_sentences(log), log.read_text()
        table.setdefault("second writers", []).append(refused)


@pytest.mark.timeout(240 + 120 * attempts(2))
def test_readers_of_a_run_that_trains_see_nothing_of_it(server, training, tmp_path, table):
    run = training / "run"
    for number in range(attempts(2)):
        log = tmp_path / f"log-{number}"
        command = [["evaluate", run, "--json"], ["sample", run]][number % 2]
        status, said = server.run(command, log), log.read_text()
        assert status == 0 and "warning" not in said, said
        table.setdefault("readers of a run that trains", []).append(True)


def test_who_comes_after_the_first_writer_goes_on(server, whole, tmp_path):
    """The metrics of a run that two processes wrote had gone to a file without a name."""
    first = server.start([*RUN, "--runs", tmp_path, "--name", "run"], tmp_path / "first")
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        time.sleep(0.01)
    server.run(resume(tmp_path), tmp_path / "second")
    assert server.wait(first) == 0
    assert bits(tmp_path / "run") == whole.bits
