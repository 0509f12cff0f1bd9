"""A process that has imported everything and forks a process of jaxgen's for a line on its stdin.

Starting Python and jax takes seconds, forking does not. A line is a JSON object, answered by a line:
`arguments` of the command `jaxgen`, `log` (a file for what it prints) and, for faults.c, `fault`, by
the process's number; `wait`, a process's number, and `seconds` by its status, null where it ran longer
and was killed.
"""

import ctypes
import json
import os
import signal
import sys
import time

import matplotlib.figure  # noqa: F401
import tensorboardX  # noqa: F401
from orbax.checkpoint import v1  # noqa: F401

import jaxgen.runner  # noqa: F401
from jaxgen.cli import main


def child(order: dict) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if fault := order.get("fault"):
        folder, kind, n, number, forever = fault
        ctypes.CDLL(None).arm(folder.encode(), kind.encode(), n, number, forever)
    sys.argv = ["jaxgen", *order["arguments"]]
    main()
    sys.exit()


def wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(json.dumps(wait(order["wait"], order["seconds"])), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(order)
        print(pid, flush=True)
