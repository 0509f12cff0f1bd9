"""Machines that fail: small disks, disks that lose their power, calls that are refused."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxgen.experiments
from jaxgen.runs import stored
from jaxgen.runs.meter import is_time

HERE = Path(__file__).parent
# ext4's ioctl: from now on nothing reaches the disk, not even the log.
SHUTDOWN, NO_FLUSH = 0x8004587D, 2
SECONDS = 120.0  # a hang; a run takes one on an idle core
LAST = 24
RUN = [
    "train", "toy", "--log-every", "1", "--steps", str(LAST), "--eval-every", str(LAST),
    "--checkpoint-every", "4",
]  # fmt: skip


def attempts(few: int) -> int:
    """How often a campaign tries: a few times, or as $JAXGEN_FAULTS says."""
    return int(os.environ.get("JAXGEN_FAULTS", few))


class Server:
    """Forks the commands of `jaxgen` from one process; see server.py."""

    def __init__(self, library: Path | None):
        self.library = library
        command = [sys.executable, "-W", "ignore", str(HERE / "server.py")]
        environment = os.environ | {
            "PYTHONPATH": str(HERE.parents[1]), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }  # fmt: skip
        if library is not None:
            environment["LD_PRELOAD"] = str(library)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout.readline() == "ready\n"

    def start(self, arguments: list, log: Path, fault: tuple | None = None) -> int:
        """The number of a new process."""
        words = [str(argument) for argument in arguments]
        return self._ask(arguments=words, log=str(log), fault=fault)

    def live(self, name: str, root: Path, steps: int, log: Path) -> int:
        """The number of a process that begins, or goes on with, the tiny run of a preset."""
        return self._ask(life=[name, str(root), steps], log=str(log))

    def wait(self, pid: int, seconds: float = SECONDS) -> int | None:
        """Its status; None where it hung."""
        return self._ask(wait=pid, seconds=seconds)

    def run(self, arguments: list, log: Path, fault: tuple | None = None) -> int | None:
        return self.wait(self.start(arguments, log, fault))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _ask(self, **order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("forks, signals and disks of Linux")
    library = None
    if compiler := shutil.which("gcc"):
        library = tmp_path_factory.mktemp("faults") / "faults.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, HERE / "faults.c"], check=True)
    server = Server(library)
    yield server
    server.close()


@pytest.fixture
def toy_is_known(monkeypatch):
    """The toy is a preset in this process too."""
    place = [*jaxgen.experiments.__path__, str(HERE / "presets")]
    monkeypatch.setattr(jaxgen.experiments, "__path__", place)


class Whole(NamedTuple):
    """The run that nothing happens to, its bits, and how long it took."""

    folder: Path
    bits: tuple
    seconds: float


@pytest.fixture(scope="session")
def whole(server, tmp_path_factory) -> Whole:
    root = tmp_path_factory.mktemp("whole")
    for name in ("compiles", "run"):
        begin = time.monotonic()
        assert server.run([*RUN, "--runs", root, "--name", name], root / "log") == 0
    return Whole(root / "run", bits(root / "run"), time.monotonic() - begin)


def resume(root: Path) -> list:
    return ["train", "--resume", "run", "--runs", root]


@contextlib.contextmanager
def mounted(*command: str | Path):
    """Mount, and at the end unmount; skips where one may not."""
    place = Path(command[-1])
    place.mkdir(exist_ok=True)
    if subprocess.run(["mount", *command], capture_output=True).returncode:
        pytest.skip("cannot mount a disk here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, folder: Path, megabytes: int = 24):
        if not shutil.which("mkfs.ext4"):
            pytest.skip("no mkfs.ext4 here")
        self.image, self.place = folder / "image", folder / "disk"
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        # The log is written every 5 s as on any machine, so a loss of power takes up to that much.
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)

    def mounted(self):
        return mounted("-o", "loop", self.image, self.place)

    def lose_power(self) -> None:
        """From now on nothing more reaches the disk; whoever writes is refused."""
        descriptor = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, NO_FLUSH.to_bytes(4, sys.byteorder))
        os.close(descriptor)


@pytest.fixture
def disk(tmp_path) -> Disk:
    return Disk(tmp_path)


def steps_of(folder: Path) -> list[int]:
    """The saved steps of a run."""
    names = [path.name for path in (folder / "checkpoints").iterdir()]
    return sorted(int(name) for name in names if name.isdecimal())


def bits(folder: Path) -> tuple:
    """All that a run has computed: the metrics of each step and the last state, each bit of them."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    metrics = [{k: float(v).hex() for k, v in line.items() if not is_time(k)} for line in lines]
    last = folder / "checkpoints" / str(steps_of(folder)[-1])
    manifest = stored.read_manifest(last)
    stored.check_files(last, manifest)
    return metrics, manifest.leaves


def only_sentences(log: Path) -> bool:
    """Whether a process that was refused said so in one sentence."""
    text = log.read_text()
    return "Traceback" not in text and len(re.findall("^error: ", text, re.MULTILINE)) == 1


@pytest.fixture(scope="session")
def table():
    """Attack, tried, survived; printed at the end."""
    rows: dict[str, list[bool]] = {}
    yield rows
    print(f"\n{'attack':40}{'tried':>7}{'survived':>10}")
    for attack, survived in rows.items():
        print(f"{attack:40}{len(survived):7}{sum(survived):10}")
