"""Measurements that need a process of their own: peak memory, and a step over several devices.

`python -m benchmarks.measure.child memory FORM CAUSAL HEADS HEAD_SIZE LENGTH...` and
`python -m benchmarks.measure.child devices EXPERIMENT PARALLEL BATCH SHORT` print one JSON object.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def attention_peaks(
    form: str, causal: bool, heads: int, head_size: int, lengths: tuple[int, ...]
) -> dict:
    """Bytes by length: {"peak": {T: process's peak}, "growth": {T: peak above the idle process}}.

    Of one forward and backward evaluation in a fresh process. One process serves ascending lengths.
    """
    sizes = (heads, head_size, *lengths)
    return _run("memory", form, str(int(causal)), *(str(size) for size in sizes))


def devices_seconds(experiment: str, parallel: str, devices: int, batch: int, short: bool) -> dict:
    """The timing of a step of `batch` examples over so many devices, as `measure.Timing`."""
    return _run("devices", experiment, parallel, str(batch), str(int(short)), devices=devices)


def _run(*arguments: str, devices: int = 1) -> dict:
    environment = dict(os.environ)
    flags = environment.get("XLA_FLAGS", "")
    # Only the CPU backend heeds it: real accelerators are there or they are not.
    environment["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={devices}".strip()
    command = [sys.executable, "-m", "benchmarks.measure.child", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[1]
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _memory(form: str, causal: str, heads: str, head_size: str, *lengths: str) -> dict:
    import jax

    from benchmarks.ledger.attention import arguments, make_program

    program = jax.jit(make_program(form, causal == "1"))
    # Threads, pools and the like are there before anything is counted.
    jax.block_until_ready(program(*arguments(1, 8, 8)))
    peak, growth = {}, {}
    for length in map(int, lengths):
        sizes = (int(heads), length, int(head_size))
        shapes = jax.eval_shape(lambda sizes=sizes: arguments(*sizes))
        compiled = program.lower(*shapes).compile()
        idle = _resident("VmRSS")
        _forget_peak()
        given = arguments(*sizes)
        jax.block_until_ready(compiled(*given))
        peak[length] = _resident("VmHWM")
        growth[length] = peak[length] - idle
        del given
    return {"peak": peak, "growth": growth}


def _resident(field: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (peak); elsewhere than Linux the peak for both."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def _forget_peak() -> None:
    """Compilation's own peak should not hide the program's: 5 resets it (Linux's proc(5))."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _devices(experiment: str, parallel: str, batch: str, short: str) -> dict:
    from dataclasses import asdict, replace

    import jax
    import numpy as np

    from benchmarks.measure.timing import measure
    from benchmarks.select import find_experiment
    from jaxgen import runner
    from jaxgen.devices.runtime import tune_allocator

    tune_allocator()
    chosen = replace(find_experiment(experiment), batch_size=int(batch))
    data = chosen.load()
    steps = 2 if short == "1" else chosen.steps_per_dispatch
    task, order, plan, state = runner.prepare(chosen, data, runner.Devices(parallel))
    dispatch = plan.dispatch(task.step, data.train.take, steps, state)
    arrays, indices = plan.put_arrays(data.train.arrays), order.indices_for(0, steps)

    def call():
        nonlocal state
        state, report = dispatch(state, arrays, indices, np.int32(steps))
        return report

    timing = measure(call, 3 if short == "1" else 9).divided(steps)
    return asdict(timing) | {"devices": jax.device_count()}


if __name__ == "__main__":
    print(json.dumps({"memory": _memory, "devices": _devices}[sys.argv[1]](*sys.argv[2:])))
