"""A training step measured: the program that trains, beside its mathematics, walk and XLA count."""

import functools
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.measure.ceilings import Ceilings
from benchmarks.measure.fit import fitted_exponent
from benchmarks.measure.shapes import step_shapes
from benchmarks.measure.timing import measure
from jaxgen import runner
from jaxgen.costs.roofline import CeilingError, fraction_of_ceiling, roofline
from jaxgen.costs.walk.count import count, xla_flops
from jaxgen.data import Data
from jaxgen.devices.feed import fetch_rows
from jaxgen.families.base import Experiment

SHARES = (0.25, 0.5, 1, 2, 4)
"""Of the experiment's own batch size and width: what a sweep takes."""

DEPTHS = (1, 2, 4, 8)


def sweeps(experiment: Experiment) -> dict[str, dict[int, Experiment]]:
    """Batch, width and depth: size to the experiment at that size, as far as its model can be scaled."""
    batches = {max(1, int(share * experiment.batch_size)) for share in SHARES[:-1]}
    found = {"batch": {size: replace(experiment, batch_size=size) for size in sorted(batches)}}
    model: Any = getattr(experiment, "model", None)
    if model is None:
        return found

    def with_model(config: Any) -> Experiment:
        changes: dict[str, Any] = {"model": config}
        return replace(experiment, **changes)

    widths = {max(1, int(share * model.width)) for share in SHARES}
    for what, sizes in (("width", sorted(widths)), ("depth", DEPTHS)):
        scaled = {size: model.scaled(**{what: size}) for size in sizes}
        found[what] = {size: with_model(config) for size, config in scaled.items()}
    return found


def run_model(name: str, experiment: Experiment, *, short: bool) -> tuple[list[dict], list[dict]]:
    """(rows, exponents) of an experiment as it is and along each sweep; without ceilings yet.

    A short run takes two points of the first sweep.
    """
    data = experiment.load()
    rows = [measure_step(name, "as trained", experiment, data, short=short)]
    exponents = []
    for what, sizes in list(sweeps(experiment).items())[: 1 if short else None]:
        values, found = list(sizes)[: 2 if short else None], []
        for value in values:
            row = measure_step(name, f"{what} {value}", sizes[value], data, short=short)
            found.append(row | {"sweep": what, "value": value})
        rows += found
        for quantity, key in (("time", "median_seconds"), ("FLOPs", "mathematics_flops")):
            p = fitted_exponent(values, [row[key] for row in found])
            exponents.append({"benchmark": name, "quantity": quantity, "over": what, "p": p})
    return rows, exponents


def measure_step(
    name: str, case: str, experiment: Experiment, data: Data, *, short: bool
) -> dict[str, Any]:
    """One row: the step inside the dispatch that `jaxgen` trains with."""
    steps = 2 if short else experiment.steps_per_dispatch
    task, order, plan, state, _ = runner.prepare(experiment, data)
    indices, trips = order.indices_for(0, steps), np.int32(steps)
    arrays = plan.put_arrays(data.train.arrays)
    dispatch: Any = plan.dispatch(task.step, data.train.take, steps, state)
    start = time.perf_counter()
    compiled = dispatch.lower(state, arrays, indices, trips).compile()
    compile_seconds = time.perf_counter() - start

    def call():
        nonlocal state
        state, report = compiled(state, arrays, indices, trips)
        return report

    def feed():
        fetch = functools.partial(fetch_rows, data.train, steps)
        return plan.place(order.indices_for(0, steps), fetch)

    timing = measure(call, 3 if short else 9).divided(steps)
    return {
        "benchmark": name, "case": case, **asdict(timing), "steps_per_dispatch": steps,
        "input_seconds": measure(feed, 3 if short else 9).divided(steps).median_seconds,
        "compile_seconds": compile_seconds,
        "xla_bytes": compiled.cost_analysis().get("bytes accessed"),
        **mathematics(experiment, data),
    }  # fmt: skip


def mathematics(experiment: Experiment, data: Data) -> dict[str, Any]:
    """What a step should cost: by the table, by a walk over it, and by XLA; nothing is run."""
    task, state, batch, _ = step_shapes(experiment, data)
    table = experiment.costs(data.spec)
    return {
        "dtype": getattr(getattr(experiment, "model", None), "compute_dtype", "float32"),
        "mathematics_flops": table.matmul_flops,
        "mathematics_elementwise_flops": table.elementwise_flops,
        "walk_flops": count(task.step, state, batch).matmul_flops,
        "xla_flops": xla_flops(task.step, state, batch),
        "least_bytes": table.least_bytes(),
        "touched_bytes": 12 * table.parameters + table.activation_bytes,
    }


def set_against(row: dict[str, Any], ceilings: Ceilings) -> str | None:
    """Add bound, sum and fraction to a row; returns the sentence of an error, or None."""
    bound = roofline(
        row["mathematics_flops"], row["least_bytes"],
        ceilings.flops_per_second[row["dtype"]], ceilings.memory_rate(row["touched_bytes"]),
    )  # fmt: skip
    row |= {"bound_seconds": bound.seconds, "sum_seconds": bound.sum_seconds, "binds": bound.binds}
    what = f"{row['benchmark']}, {row['case']}"
    try:
        row["fraction"] = fraction_of_ceiling(bound.seconds, row["median_seconds"], what)
    except CeilingError as error:
        row["fraction"] = None
        return str(error)
    return None
