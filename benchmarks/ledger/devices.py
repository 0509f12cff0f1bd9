"""The step over 1, 2, ... devices, under pmap and over a mesh: the same batch, or one that grows.

On a CPU the devices are virtual ones of one process that share its cores, no more than there are;
accelerators are taken as they are.
"""

import os
from dataclasses import asdict, replace

import jax
import numpy as np

from benchmarks.ledger.model import mathematics
from benchmarks.measure.child import run
from benchmarks.measure.timing import measure
from benchmarks.select import find_experiment
from jaxgen import runner
from jaxgen.devices.runtime import tune_allocator
from jaxgen.families.base import Experiment


def run_devices(name: str, experiment_name: str, experiment: Experiment, *, short: bool) -> list:
    """One row a strategy, growth and number of devices."""
    most = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else jax.device_count()
    counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= most]
    data, rows = experiment.load(), []
    for parallel in ("pmap",) if short else ("pmap", "mesh"):
        for growth in ("strong",) if short else ("strong", "weak"):
            for count in counts[:2] if short else counts:
                batch = experiment.batch_size * (count if growth == "weak" else 1)
                if batch % count:
                    continue
                timing = seconds(experiment_name, parallel, count, batch, short)
                used = timing.pop("devices")
                row = timing | mathematics(replace(experiment, batch_size=batch), data)
                sweep = f"devices, {parallel}, {growth}"
                row |= {"benchmark": name, "case": f"{sweep} {used}", "sweep": sweep, "value": used}
                rows.append(row)
    return rows


def seconds(experiment: str, parallel: str, devices: int, batch: int, short: bool) -> dict:
    """The timing of a step of `batch` examples over so many devices, and how many there were."""
    return run(__name__, "own_seconds", experiment, parallel, batch, int(short), devices=devices)


def own_seconds(experiment: str, parallel: str, batch: str, short: str) -> dict:
    """The same, measured in this process over all its devices."""
    tune_allocator()
    chosen = replace(find_experiment(experiment), batch_size=int(batch))
    data = chosen.load()
    steps = 2 if short == "1" else chosen.steps_per_dispatch
    task, order, plan, state, _ = runner.prepare(chosen, data, runner.Devices(parallel))
    dispatch = plan.dispatch(task.step, data.train.take, steps, state)
    arrays = plan.put_arrays(data.train.arrays)
    indices = plan.place(order.indices_for(0, steps))

    def call():
        nonlocal state
        state, report = dispatch(state, arrays, indices, np.int32(steps))
        return report

    timing = measure(call, 3 if short == "1" else 9).divided(steps)
    return asdict(timing) | {"devices": jax.device_count()}
