"""The processes of one job on this machine's CPU: started together, watched, and ended together."""

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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from jaxgen.devices.parting import FOLLOWED, HUNG
from jaxgen.devices.processes import (
    COORDINATOR,
    LAUNCHER,
    NUM_PROCESSES,
    PROCESS_ID,
    require_port,
)
from jaxgen.errors import UserError
from jaxgen.interrupts import Taken

HOST = "127.0.0.1"
# Below the ports that Linux gives to outgoing connections: no worker can take it before process 0.
PORTS = range(20_000, 32_000)

SETTLE_SECONDS = 0.3  # after the first failure: who died in the same moment?
TERM_SECONDS = 2.0  # from SIGTERM to SIGKILL
# After Ctrl-C and `save_seconds`: from the SIGTERM that ends a worker to SIGKILL, and from there to the
# job's own end, so that it comes within 5 s.
KILL_SECONDS = 0.6
SAVE_SECONDS = 30.0  # after a SIGTERM: from the first worker's end to another one for the rest
# How a worker may end that was interrupted; jaxlib aborts the one whose coordinator was quicker.
INTERRUPTED = (130, *(-n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGABRT)))
# How a worker may end that another one's failure has ended: it followed, or jaxlib aborted it when its
# coordinator died. The echo of a failure, not its cause.
ECHOES = (FOLLOWED, -signal.SIGABRT)
DRAIN_SECONDS = 1.0  # for the last words of a worker whose own children still hold its pipe


class Size(NamedTuple):
    """How many processes a job has, and how many devices each makes of the CPU."""

    processes: int
    devices_each: int = 1


def find_free_port() -> int:
    """A port on which process 0 can wait for the others; UserError where none is found."""
    for port in random.sample(PORTS, 100):
        with contextlib.suppress(UserError):
            require_port(port, "another")
            return port
    raise UserError(f"None of 100 ports from {PORTS[0]} to {PORTS[-1]} is free: give a --port.")


def worker_environment(size: Size, port: int, rank: int) -> dict[str, str]:
    """The environment that makes a process join the job as number `rank`, on the CPU."""
    flag = "--xla_force_host_platform_device_count"
    others = re.sub(rf"{flag}=\S*", "", os.environ.get("XLA_FLAGS", ""))
    environment = os.environ | {
        COORDINATOR: f"{HOST}:{port}",
        NUM_PROCESSES: str(size.processes),
        PROCESS_ID: str(rank),
        LAUNCHER: str(os.getpid()),
        "JAX_PLATFORMS": "cpu",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "XLA_FLAGS": f"{others} {flag}={size.devices_each}".strip(),
        "PYTHONUNBUFFERED": "1",
    }
    if any("_proxy" in name.lower() for name in environment):
        # gRPC asks a proxy even for this machine, and then waits for ever.
        environment |= {"no_grpc_proxy": HOST, "JAX_CHECK_PROXY_ENVS": "0"}
    return environment


class Job:
    """The workers of one job, from their start to the last one's end; each runs `command` by Python.

    `failure` says in words, after `run`, what has failed first, and `interrupted` whether a signal came.

    Args:
      environment: of every worker, beside what makes it one of the job.
      save_seconds: how long the workers may save and end after Ctrl-C.
      going_on: what a person is told of how to go on with what is cut short, if anything.
    """

    def __init__(
        self,
        size: Size,
        command: list[str],
        port: int,
        *,
        environment: Mapping[str, str],
        save_seconds: float,
        going_on: Callable[[], str],
    ):
        self.size, self.command, self.port = size, command, port
        self.environment, self.save_seconds, self.going_on = environment, save_seconds, going_on
        # (rank, status) at a worker's end, (None, number) at a signal
        self.events = queue.SimpleQueue()
        self.workers: list[subprocess.Popen] = []
        self.ended: dict[int, int] = {}  # rank: status
        self.failed: list[int] = []  # ranks that failed by themselves, in the order of their ends
        self.stopped: list[int] = []  # ranks that were found stopped at the first failure
        self.failure = ""
        self.interrupted = self.hurries = False  # `hurries`: a person waits
        # What those get who still run when the time is up.
        self.remedy: signal.Signals | None = signal.SIGTERM
        self.deadline: float | None = None

    def run(self) -> int:
        """Start the workers, end all where one fails, and return the exit status."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with Taken(lambda number: self.events.put((None, number)), signals=signals):
            return self._run()

    def _run(self) -> int:
        ranks = range(self.size.processes)
        readers = [reader for rank in ranks for reader in self._start(rank)]
        while len(self.ended) < len(self.workers):
            try:
                left = None if self.deadline is None else self.deadline - time.monotonic()
                rank, number = self.events.get(timeout=left and max(0.0, left))
            except queue.Empty:
                if self.remedy is None:
                    return INTERRUPTED[0]
                if self.hurries and self.remedy == signal.SIGTERM:
                    self._tell_who_is_late()
                self._send(self.remedy)
                # What a disk holds in the kernel ends with its call: nobody waits for that.
                dying = self.hurries and self.remedy == signal.SIGKILL
                self.remedy, self.deadline = None if dying else signal.SIGKILL, None
                self._limit(KILL_SECONDS if self.hurries else TERM_SECONDS)
                continue
            if rank is None:
                self._interrupt(number)
            else:
                self._note_end(rank, number)
        drained = time.monotonic() + DRAIN_SECONDS
        for reader in readers:
            reader.join(max(0.0, drained - time.monotonic()))
        return self._status()

    def _start(self, rank: int) -> list[threading.Thread]:
        """Start a worker; returns the threads that copy its output."""
        worker = subprocess.Popen(
            [sys.executable, *self.command],
            env=worker_environment(self.size, self.port, rank) | dict(self.environment),
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

    def _interrupt(self, number: int) -> None:
        """Have all save and end at the first signal; end them at the second, or while they are ended.

        By SIGTERM, whatever came: Python itself has a traceback for a SIGINT, until it reads our files.
        """
        if self.interrupted or self.failed:
            self._send(signal.SIGKILL)
        else:
            self._send(signal.SIGTERM)
            if number == signal.SIGINT:
                self.hurries = True
                self._limit(self.save_seconds)
        self.interrupted = True

    def _tell_who_is_late(self) -> None:
        """Say whose save is cut short, and how to go on."""
        left = [str(rank) for rank, worker in enumerate(self.workers) if worker.poll() is None]
        how = self.going_on()
        how = f": {how}" if how else ""
        print(
            f"stopped {self.save_seconds:g} s after Ctrl-C (--save-seconds), in the middle of a save "
            f"perhaps: worker {' and '.join(left)}{how}",
            file=sys.stderr, flush=True,
        )  # fmt: skip

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
