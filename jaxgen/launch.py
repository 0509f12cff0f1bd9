"""`python -m jaxgen.launch -n 4 -- train.py ...`: one job of several processes on this machine's CPU."""

if __name__ == "__main__":
    from jaxgen.interrupts import arm

    arm()  # before what takes time to import

import contextlib
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import tyro

from jaxgen.cli import run_command
from jaxgen.cli.parsing import parse, parse_known
from jaxgen.devices.parting import FOLLOWED
from jaxgen.devices.processes import (
    COORDINATOR,
    LAUNCHER,
    NUM_PROCESSES,
    PROCESS_ID,
    require_port,
)
from jaxgen.errors import UserError, check
from jaxgen.interrupts import Taken
from jaxgen.runs.options import RunOptions
from jaxgen.runs.watchdog import HUNG

PROG = "python -m jaxgen.launch"
HOST = "127.0.0.1"
# Below the ports that Linux gives to outgoing connections: no worker can take it before process 0.
PORTS = range(20_000, 32_000)

SETTLE_SECONDS = 0.3  # after the first failure: who died in the same moment?
TERM_SECONDS = 2.0  # from SIGTERM to SIGKILL
SAVE_SECONDS = 30.0  # after an interruption: from the first worker's end to SIGTERM for the others
# How a worker may end that was interrupted; jaxlib aborts the one whose coordinator was quicker.
INTERRUPTED = (130, *(-n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGABRT)))
# How a worker may end that another one's failure has ended: it followed, or jaxlib aborted it when its
# coordinator died. The echo of a failure, not its cause.
ECHOES = (FOLLOWED, -signal.SIGABRT)
# Before a restart; the first comes after 1 s, each other after twice that.
MOST_PAUSE_SECONDS = 60.0
DRAIN_SECONDS = 1.0  # for the last words of a worker whose own children still hold its pipe


@dataclass(frozen=True)
class LaunchOptions:
    """Start N processes of one job on this machine's CPU: python -m jaxgen.launch -n N -- train.py ...

    What follows the -- is run by this Python, N times. The output of worker 1 and later, and what
    worker 0 writes to stderr, goes to stderr with the worker's number before each line; stdout is worker
    0's alone, so its last line is still the run directory. The first worker that fails ends all others
    and gives the exit status, 128 + n where signal n ended it. Ctrl-C and SIGTERM are handed on once, so
    that the workers save and end by themselves (status 130); a second one ends them at once.
    """

    num_processes: Annotated[int, tyro.conf.arg(aliases=["-n"])]
    """The number of processes."""
    devices_per_process: int = 1
    """The number of devices that each process makes of the CPU."""
    port: int | None = None
    """The coordinator's port; a free one where none is given."""
    max_restarts: int = 0
    """How often a job of train.py that a worker's death has ended goes on from its last checkpoint."""

    def __post_init__(self):
        check(self, "num_processes", lambda x: x >= 1, "1 or more")
        check(self, "devices_per_process", lambda x: x >= 1, "1 or more")
        check(self, "max_restarts", lambda x: x >= 0, "0 or more")
        check(self, "port", lambda x: x is None or 0 < x < 65536, "1 to 65535")


def main() -> None:
    """The command `python -m jaxgen.launch`."""
    run_command(launch, sys.argv[1:])


def launch(args: list[str]) -> None:
    """Run the command after `--` in several processes and exit with the status of their job.

    Raises UserError where there is no command, or the port is in use.
    """
    cut = args.index("--") if "--" in args else len(args)
    own, command = args[:cut], args[cut + 1 :]
    if not command and not {"-h", "--help"} & set(own):
        raise UserError(f"Put the command behind --, as in {PROG} -n 2 -- train.py vae-digits.")
    options = parse(LaunchOptions, own, PROG)
    if options.max_restarts:
        resuming(command)
    sys.exit(_run_jobs(options, command))


def _run_jobs(options: LaunchOptions, command: list[str]) -> int:
    """Run the job, and again from its last checkpoint where a worker has died; returns the status."""
    failures: list[str] = []
    restarts = 0
    while True:
        port = options.port or find_free_port()
        require_port(port, "another --port")
        job = Job(options, command, port)
        status = job.run()
        failures += [job.failure] if job.failure else []
        # Bad input and an interruption would only come again.
        if status in (0, 2, 130) or job.interrupted or restarts == options.max_restarts:
            break
        pause = min(2.0**restarts, MOST_PAUSE_SECONDS)
        command, restarts = resuming(command), restarts + 1
        resumes = any(word.startswith("--resume") for word in command)
        whence = "from the last checkpoint" if resumes else "from the start"
        count = f"restart {restarts} of {options.max_restarts}"
        print(f"{count} in {pause:g} s, {whence}", file=sys.stderr, flush=True)
        time.sleep(pause)
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        print(f"restarted {times}; the first failure: {failures[0]}", file=sys.stderr)
    return status


def resuming(command: list[str]) -> list[str]:
    """The command that goes on with the run which `command` has started, if it came to be.

    Raises UserError where it is not one of train.py.
    """
    is_module = command[:3] == ["-m", "jaxgen", "train"]
    if not is_module and Path(command[0]).name != "train.py":
        raise UserError(
            f"--max-restarts goes with train.py, whose runs can be resumed, not with {command[0]}: "
            "leave it out."
        )
    words = command[3 if is_module else 1 :]
    named = bool(words) and not words[0].startswith("-")  # --resume stands without an experiment
    options, _ = parse_known(RunOptions, words[named:], PROG)
    name = options.name or "".join(words[:1])
    if options.resume or not (options.runs / name / "config.json").exists():
        return command
    return [*command, "--resume", name]


def find_free_port() -> int:
    """A port on which process 0 can wait for the others; UserError where none is found."""
    for port in random.sample(PORTS, 100):
        with contextlib.suppress(UserError):
            require_port(port, "another")
            return port
    raise UserError(f"None of 100 ports from {PORTS[0]} to {PORTS[-1]} is free: give a --port.")


def worker_environment(options: LaunchOptions, port: int, rank: int) -> dict[str, str]:
    """The environment that makes a process join the job as number `rank`, on the CPU."""
    flag = "--xla_force_host_platform_device_count"
    others = re.sub(rf"{flag}=\S*", "", os.environ.get("XLA_FLAGS", ""))
    environment = os.environ | {
        COORDINATOR: f"{HOST}:{port}",
        NUM_PROCESSES: str(options.num_processes),
        PROCESS_ID: str(rank),
        LAUNCHER: str(os.getpid()),
        "JAX_PLATFORMS": "cpu",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "XLA_FLAGS": f"{others} {flag}={options.devices_per_process}".strip(),
        "PYTHONUNBUFFERED": "1",
    }
    if any("_proxy" in name.lower() for name in environment):
        # gRPC asks a proxy even for this machine, and then waits for ever.
        environment |= {"no_grpc_proxy": HOST, "JAX_CHECK_PROXY_ENVS": "0"}
    return environment


class Job:
    """The workers of one launch, from their start to the last one's end."""

    def __init__(self, options: LaunchOptions, command: list[str], port: int):
        self.options, self.command, self.port = options, command, port
        # (rank, status) at a worker's end, (None, number) at a signal
        self.events = queue.SimpleQueue()
        self.workers: list[subprocess.Popen] = []
        self.ended: dict[int, int] = {}  # rank: status
        self.failed: list[int] = []  # ranks that failed by themselves, in the order of their ends
        self.stopped: list[int] = []  # ranks that were found stopped at the first failure
        self.failure = ""  # what has failed first, in words
        self.interrupted = False
        self.remedy = signal.SIGTERM  # what those get who still run when the time is up
        self.deadline: float | None = None

    def run(self) -> int:
        """Start the workers, end all where one fails, and return the exit status."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with Taken(lambda number: self.events.put((None, number)), signals=signals):
            return self._run()

    def _run(self) -> int:
        ranks = range(self.options.num_processes)
        readers = [reader for rank in ranks for reader in self._start(rank)]
        while len(self.ended) < len(self.workers):
            try:
                left = None if self.deadline is None else self.deadline - time.monotonic()
                rank, number = self.events.get(timeout=left and max(0.0, left))
            except queue.Empty:
                self._send(self.remedy)
                self.remedy, self.deadline = signal.SIGKILL, None
                self._limit(TERM_SECONDS)
                continue
            if rank is None:
                self._interrupt()
            else:
                self._note_end(rank, number)
        for reader in readers:
            reader.join(DRAIN_SECONDS)
        return self._status()

    def _start(self, rank: int) -> list[threading.Thread]:
        """Start a worker; returns the threads that copy its output."""
        worker = subprocess.Popen(
            [sys.executable, *self.command],
            env=worker_environment(self.options, self.port, rank),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if rank else None,
            stderr=subprocess.PIPE,
            start_new_session=True,  # the terminal's Ctrl-C reaches the launcher alone
        )
        self.workers.append(worker)
        _start_thread(lambda: self.events.put((rank, worker.wait())))
        streams = filter(None, (worker.stdout, worker.stderr))
        return [_start_thread(_prefix, stream, f"[{rank}] ".encode()) for stream in streams]

    def _note_end(self, rank: int, status: int) -> None:
        self.ended[rank] = status
        ours = self.interrupted and status in INTERRUPTED
        if status and not ours and self.remedy == signal.SIGTERM:  # not one that we have ended
            if not self.failed:
                self.stopped = [r for r, w in enumerate(self.workers) if _is_stopped(w.pid)]
            self.failed.append(rank)
            # Who is followed is about to end by itself.
            self._limit(TERM_SECONDS if status == FOLLOWED else SETTLE_SECONDS)
        elif self.interrupted:
            self._limit(SAVE_SECONDS)

    def _interrupt(self) -> None:
        """Have all save and end at the first signal; end them at the second, or while they are ended.

        By SIGTERM, whatever came: Python itself has a traceback for a SIGINT, until it reads our files.
        """
        if self.interrupted or self.failed:
            self._send(signal.SIGKILL)
        else:
            self._send(signal.SIGTERM)
        self.interrupted = True

    def _limit(self, seconds: float) -> None:
        """The next remedy comes after `seconds`, unless it was to come earlier anyway."""
        then = time.monotonic() + seconds
        self.deadline = then if self.deadline is None else min(self.deadline, then)

    def _status(self) -> int:
        if not self.failed:
            return 130 if any(self.ended.values()) else 0
        rank = min(self.failed, key=lambda rank: self.ended[rank] in ECHOES)
        status, pid = self.ended[rank], self.workers[rank].pid
        if status in (-signal.SIGABRT, HUNG) and self.stopped:
            rank = self.stopped[0]
            self.failure = (
                f"worker {rank} (pid {self.workers[rank].pid}) was stopped (SIGSTOP, or a debugger) "
                "and no longer answered"
            )
            print(f"{self.failure}: the job is ended", file=sys.stderr)
            return HUNG if status == HUNG else 128 - status
        how = f"with status {status}" if status > 0 else f"by signal {_signal_name(-status)}"
        self.failure = f"worker {rank} (pid {pid}) failed first, {how}"
        print(f"{self.failure}: the job is ended", file=sys.stderr)
        return status if status > 0 else 128 - status

    def _send(self, number: int) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                with contextlib.suppress(ProcessLookupError):  # it has ended in this moment
                    os.killpg(worker.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)


def _is_stopped(pid: int) -> bool:
    """Whether a process is held by SIGSTOP or a debugger, as far as the system tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in ("T", "t")


def _start_thread(target, *args) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def _prefix(stream: BinaryIO, prefix: bytes) -> None:
    """Copy a worker's lines to stderr; where nobody reads that any more, still drain them."""
    for line in stream:
        with contextlib.suppress(OSError):
            sys.stderr.buffer.write(prefix + line.rstrip(b"\n") + b"\n")
            sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()
