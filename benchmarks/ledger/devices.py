"""The step over 1, 2, ... devices, under pmap and over a mesh: the same batch, or one that grows.

On a CPU the devices are virtual ones of one process that share its cores, no more than there are;
accelerators are taken as they are.
"""

import os
from dataclasses import replace

import jax

from benchmarks.ledger.model import mathematics
from benchmarks.measure.child import devices_seconds
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
                timing = devices_seconds(experiment_name, parallel, count, batch, short)
                used = timing.pop("devices")
                row = timing | mathematics(replace(experiment, batch_size=batch), data)
                sweep = f"devices, {parallel}, {growth}"
                row |= {"benchmark": name, "case": f"{sweep} {used}", "sweep": sweep, "value": used}
                rows.append(row)
    return rows
