"""The step over 1, 2, ... devices: a batch sharded, the state on each.

On a CPU the devices are virtual ones of one process, no more than there are cores; accelerators are
taken as they are.
"""

import os
from typing import Any

import jax

from benchmarks.child import devices_seconds
from jaxgen.experiments.base import Experiment


def run_devices(
    name: str, experiment_name: str, experiment: Experiment, base: dict[str, Any], *, short: bool
) -> list[dict]:
    """One row a number of devices; the mathematics is that of `base`, the same step on one device."""
    most = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else jax.device_count()
    counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= most]
    rows = []
    for count in counts[:2] if short else counts:
        if experiment.batch_size % count:
            continue
        timing = devices_seconds(experiment_name, count, experiment.batch_size, short)
        used = timing.pop("devices")
        same = (
            "dtype",
            "mathematics_flops",
            "walk_flops",
            "xla_flops",
            "least_bytes",
            "touched_bytes",
        )
        row = {key: base[key] for key in same} | timing
        rows.append(
            row | {"benchmark": name, "case": f"devices {used}", "sweep": "devices", "value": used}
        )
    return rows
