"""Measurements that need a process of their own.

`python -m benchmarks.measure.child MODULE FUNCTION ARGUMENT...` calls a function of this package with
texts and prints what it returns as JSON.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def run(module: str, function: str, *arguments: Any, devices: int = 1) -> Any:
    """What a function returns in a fresh process, with so many devices made of the CPU."""
    environment = dict(os.environ)
    flags = environment.get("XLA_FLAGS", "")
    # Only the CPU backend heeds it: real accelerators are there or they are not.
    environment["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={devices}".strip()
    # This process may hold most of an accelerator's memory: the child takes what it needs of the rest.
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    command = [sys.executable, "-m", "benchmarks.measure.child", module, function]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def resident(field: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (peak); elsewhere than Linux the peak for both."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def memory(field: str) -> int:
    """`resident`, or what an accelerator's allocator says in its place: of now, or its peak so far."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics is None:  # a CPU
        return resident(field)
    return statistics["bytes_in_use" if field == "VmRSS" else "peak_bytes_in_use"]


def forget_peak() -> None:
    """Compilation's own peak should not hide the program's: 5 resets it (Linux's proc(5))."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


if __name__ == "__main__":
    _, module, function, *arguments = sys.argv
    print(json.dumps(getattr(importlib.import_module(module), function)(*arguments)))
