"""Several processes, one job: how a process joins the others, and how it leaves them.

A process that vanishes without a word leaves the others waiting: in a collective, or in the barrier
at which jax.distributed lets everyone leave together (300 s by default). So a process that fails here
ends at once, and one that waits in vain says for whom.
"""

import contextlib
import ctypes
import math
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxgen import interrupts
from jaxgen.devices.parting import end, follow_others, leave_together, tell_others
from jaxgen.errors import UserError, check

# How a launcher tells its processes where the others are; a flag goes before its variable.
COORDINATOR = "JAXGEN_COORDINATOR"
NUM_PROCESSES = "JAXGEN_NUM_PROCESSES"
PROCESS_ID = "JAXGEN_PROCESS_ID"
LAUNCHER = "JAXGEN_LAUNCHER"  # the launcher's own number
PR_SET_PDEATHSIG = (
    1  # of Linux's <sys/prctl.h>: the signal that this process gets at its parent's death
)

# A process whose heartbeats stop is taken for dead, and all others are ended by jax. Heartbeats come
# from a thread of jaxlib's that needs no GIL, so a long compilation does not stop them; swapping, a
# paused machine or a slow allocation of pinned memory may, for longer than 10 s (jax issue 23599).
# 30 s instead of jax's 100 s: measured, the others end 31 s after a death that no launcher saw.
HEARTBEAT_SECONDS = 30
# How long the first to finish waits for the last: long enough for one that draws the final pictures.
SHUTDOWN_SECONDS = 60
# An exception with one of these words is most often the echo of another process's death. It ends this
# process a little later, so that whoever watches sees the cause die first.
AFTERMATH = ("Gloo", "NCCL", "Connection reset", "coordination_service")
AFTERMATH_SECONDS = 0.5


@dataclass(frozen=True)
class JobOptions:
    """Where the other processes of a run are; a run of one process needs none of this."""

    coordinator: str | None = None
    """HOST:PORT at which process 0 of a job of several processes waits for the others."""
    num_processes: int | None = None
    """The number of processes of the job."""
    process_id: int | None = None
    """This process's number, from 0 on."""
    coordinator_timeout: float = 60.0
    """Seconds to wait until all processes have come."""
    distributed: bool = False
    """Join the job that SLURM, Open MPI, Kubernetes or Cloud TPU has started: jax detects it."""

    def __post_init__(self):
        rules = {
            "num_processes": (lambda x: x is None or x >= 1, "1 or more"),
            "process_id": (lambda x: x is None or x >= 0, "0 or more"),
            "coordinator_timeout": (lambda x: 0 < x < 1e6, "a number of seconds above 0"),
        }
        for field, (holds, wanted) in rules.items():
            check(self, field, holds, wanted)


class Place(NamedTuple):
    """A process's place in its job; None where jax is to detect it."""

    coordinator: str | None
    num_processes: int | None
    process_id: int | None


_stage = "alone"  # then "joining", then "joined"
_forget: Callable[[], None] | None = None  # ends that this process follows the others


def join(options: JobOptions) -> None:
    """Join the job that the options describe; without any of them, nothing happens.

    What they leave open, $JAXGEN_COORDINATOR, $JAXGEN_NUM_PROCESSES and $JAXGEN_PROCESS_ID tell.

    To be called before jax's first computation, and followed by `leave` at the end. From here on an
    exception that nobody catches ends this process at once, with its traceback and status 1.

    Raises UserError where the options contradict each other, where the coordinator's port is in use, and
    where not all processes have come within `coordinator_timeout` seconds.
    """
    global _stage, _forget
    place = find_place(options)
    if place is None or place.num_processes == 1:
        return
    if place.process_id == 0 and place.coordinator:
        require_port(_port(place.coordinator), "another --coordinator for all processes")
    import jax

    # Its handler would swallow SIGTERM even before and after the training loop, which has its own.
    jax.config.update("jax_enable_preemption_service", False)
    sys.excepthook = _die
    _keep_stdout_to_ourselves()
    _stage = "joining"
    _initialize(place, options.coordinator_timeout)
    _stage = "joined"
    interrupts.before_end(leave_together)
    _forget = follow_others(silent=LAUNCHER in os.environ)


def _keep_stdout_to_ourselves() -> None:
    """Let nothing but Python write to standard output: Gloo's C++ tells there whom it has met."""
    stream = sys.stdout
    with contextlib.suppress(OSError, AttributeError, ValueError):  # one that is no file
        stream.flush()
        own, nowhere = os.dup(stream.fileno()), os.open(os.devnull, os.O_WRONLY)
        sys.stdout = os.fdopen(
            own, "w", buffering=1, encoding=stream.encoding, errors="backslashreplace"
        )
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def end_with_launcher() -> None:
    """Have the kernel end this process when its launcher dies, even by SIGKILL (Linux).

    Orphaned workers would train on, and stand in the way of those that the next launcher starts.
    """
    launcher = os.environ.get(LAUNCHER, "")
    if sys.platform != "linux" or not launcher.isdecimal():
        return
    if os.getppid() == int(launcher):  # else a worker's own child, which is the worker's to end
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if not os.path.exists(f"/proc/{launcher}"):  # noqa: PTH110  (it has died meanwhile)
        os._exit(1)


def leave(status: int = 0) -> None:
    """End this process's part in its job, and the process unless the status is 0.

    With status 0 it waits for the others; with another status for some seconds at most, in which they
    are told to follow, but for an interruption, which reaches all. Alone, this is sys.exit of a status
    other than 0.
    """
    global _stage
    stage, _stage = _stage, "alone"
    if stage == "alone":
        interrupts.disarm()
        if status and interrupts.is_armed():
            interrupts.end(status)
        if status:
            sys.exit(status)
        return
    import jax

    if status == 0:
        if _forget is not None:
            _forget()
        jax.distributed.shutdown()
        interrupts.disarm()
        return
    try:
        if stage == "joined":
            if status != interrupts.INTERRUPTED:
                tell_others()
            leave_together()
    finally:  # a second Ctrl-C goes on here too
        end(status)


def is_echo(error: BaseException) -> bool:
    """Whether an exception is most likely another process's end, as this one has seen it."""
    return _stage != "alone" and any(word in str(error) for word in AFTERMATH)


def echo_of(error: BaseException) -> str:
    """What a person is told of an echo; returns when whoever failed first has probably ended."""
    time.sleep(AFTERMATH_SECONDS)
    words = " ".join(str(error).split())
    said = words if len(words) <= 200 else f"{words[:100]} … {words[-100:]}"
    return f"another process of the job no longer answers ({said}), and this one ends too"


def is_main() -> bool:
    """Whether this is process 0, which writes and prints for all. Ask after `join`."""
    import jax

    return jax.process_index() == 0


def num_processes() -> int:
    """The number of processes of the job. Ask after `join`."""
    import jax

    return jax.process_count()


def find_place(options: JobOptions) -> Place | None:
    """The place that options and environment describe; None for a process alone.

    Raises UserError where they contradict each other or a part is missing.
    """
    coordinator = options.coordinator or os.environ.get(COORDINATOR)
    count = _number(options.num_processes, NUM_PROCESSES)
    number = _number(options.process_id, PROCESS_ID)
    given = {"--coordinator": coordinator, "--num-processes": count, "--process-id": number}
    missing = [flag for flag, value in given.items() if value is None]
    if options.distributed:
        if len(missing) < len(given):
            raise UserError(
                "--distributed detects the job by itself: leave out --coordinator, --num-processes and "
                "--process-id, or --distributed."
            )
        return Place(None, None, None)
    if len(missing) == len(given):
        return None
    if coordinator is None or count is None or number is None:
        raise UserError(
            f"{' and '.join(missing)} missing: a job of several processes needs --coordinator, "
            "--num-processes and --process-id."
        )
    _port(coordinator)
    if number >= count:
        raise UserError(
            f"--process-id is {number}, but --num-processes {count} are numbered from 0 on: give 0 to "
            f"{count - 1}."
        )
    return Place(coordinator, count, number)


def require_port(port: int, remedy: str) -> None:
    """Raise UserError where no server can be started on a port of this machine: choose `remedy`.

    jaxlib would not notice that another job has it: its servers share a port, and two jobs become one.
    """
    both = socket.has_dualstack_ipv6()  # IPv4 too
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(("", port), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        problem = os.strerror(error.errno or 0)  # the exception's own text repeats the address
        raise UserError(
            f"Port {port} of this machine cannot be opened ({problem}): choose {remedy}."
        ) from None


def _number(value: int | None, variable: str) -> int | None:
    text = os.environ.get(variable)
    if value is not None or text is None:
        return value
    if not text.isdecimal():
        raise UserError(f"${variable} is {text!r}: give a number of 0 or more, or unset it.")
    return int(text)


def _port(coordinator: str) -> int:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--coordinator is {coordinator}: give HOST:PORT, such as 10.0.0.1:8476.")
    return int(port)


def _initialize(place: Place, timeout: float) -> None:
    """Meet the other processes; in a thread, since jaxlib aborts the process when its time is up."""
    import jax

    outcome = queue.SimpleQueue()

    def initialize():
        try:
            jax.distributed.initialize(
                *place,
                cluster_detection_method="deactivate" if place.coordinator else None,
                initialization_timeout=math.ceil(timeout) + 60,  # ours comes first
                heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
                shutdown_timeout_seconds=SHUTDOWN_SECONDS,
            )
            outcome.put(None)
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=initialize, daemon=True).start()
    try:
        error = outcome.get(timeout=timeout)
    except queue.Empty:
        raise UserError(_nobody_came(place, timeout)) from None
    if error is None:
        return
    if place.coordinator is None and isinstance(error, ValueError):
        raise UserError(
            "--distributed finds neither SLURM, Open MPI, Kubernetes nor Cloud TPU here: give "
            "--coordinator, --num-processes and --process-id."
        ) from None
    if "Failed to start RPC server" in str(error):
        raise UserError(
            "The coordinator's port is in use on this machine: set $JAX_COORDINATOR_PORT to another."
        ) from None
    raise error


def _nobody_came(place: Place, timeout: float) -> str:
    longer = "or give a longer --coordinator-timeout"
    if place.coordinator is None:
        return (
            f"Not all processes of the job have come within {timeout:g} s: see to them, {longer}."
        )
    host, _, port = place.coordinator.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError as error:
        return (
            f"No coordinator answers at {place.coordinator} within {timeout:g} s "
            f"({error.strerror or error}): start process 0 there, {longer}."
        )
    return (
        f"Not all of the {place.num_processes} processes have come to the coordinator at "
        f"{place.coordinator} within {timeout:g} s: start the others, {longer}."
    )


def _die(kind: type, error: BaseException, trace) -> None:
    """The excepthook of a job: past this point Python would wait for the others to leave."""
    traceback.print_exception(kind, error, trace)
    if any(word in str(error) for word in AFTERMATH):
        time.sleep(AFTERMATH_SECONDS)
    end(1)
