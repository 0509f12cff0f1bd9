"""Any experiment's real step, compiled by the real TPU compiler for chips that are not there.

What is printed is compiled, not run. The estimated time is the sum of the compiler's own estimates
over its schedule, loops multiplied by their trips, plus the least time of the collectives at the
published rate of the links, as if nothing overlapped. Operations for which the compiler gives no
estimate count nothing, and how many there are is printed.
"""

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

import jax

from benchmarks.hlo import Schedule, read_schedule
from benchmarks.measure import compiling_anew
from benchmarks.shard import shard, step_shapes
from benchmarks.topology import Topology
from jaxgen.costs.conventions import CONVENTIONS
from jaxgen.costs.hardware import Accelerator, find_accelerator
from jaxgen.costs.roofline import Bound, fraction_of_ceiling, roofline
from jaxgen.costs.table import Table
from jaxgen.data import Data
from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment


@dataclass(frozen=True)
class Compiled:
    """One step compiled for one topology; None where the program does not fit the chip's memory.

    Sizes, FLOPs and bytes are of one chip; seconds are estimates, never measured. sent_bytes is what a
    chip sends in collectives, collectives how many exchanges of each kind. mfu is by `convention`, the
    bound of all that is computed, recomputation included. not_estimable says why there is no estimate.
    """

    experiment: str
    topology: str
    device_kind: str
    chips: int
    parallel: str
    batch_size: int
    accumulate: int
    fits: bool
    bytes_per_chip: int
    memory_bytes: int
    mathematics_flops: float
    compile_seconds: float
    least_bytes: float
    bound_seconds: float
    binds: str
    peak: str
    compiler_flops: float | None = None
    compiler_bytes: float | None = None
    collectives: dict[str, int] | None = None
    sent_bytes: float | None = None
    estimated_cycles: int | None = None
    operations_estimated: int | None = None
    operations_unestimated: int | None = None
    loops_of_unknown_length: int | None = None
    not_estimable: str | None = None
    cycles_seconds: float | None = None
    collective_seconds: float | None = None
    estimated_seconds: float | None = None
    mfu: float | None = None
    convention: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields, and that nothing was run."""
        return {"kind": "compiled, not run", **asdict(self)}


def compile_step(
    name: str,
    experiment: Experiment,
    data: Data,
    topology: Topology,
    *,
    parallel: str = "mesh",
    mesh: str | None = None,
    chips: int | None = None,
    convention: str = "jaxgen",
) -> Compiled:
    """Compile the step for the topology, or for its first `chips` devices.

    Raises UserError where the chips do not divide the batch or the convention does not apply.
    """
    devices = topology.devices[:chips]
    accelerator = find_accelerator(devices[0].device_kind)
    table = experiment.costs(data.spec)
    model_flops = _model_flops(table, convention)
    step, state, batch = shard(step_shapes(experiment, data), devices, parallel, mesh)
    bound = _bound(table, accelerator, len(devices))
    common = {
        "experiment": name, "topology": topology.name, "device_kind": devices[0].device_kind,
        "chips": len(devices), "parallel": f"{parallel} {mesh}" if mesh else parallel,
        "batch_size": experiment.batch_size,
        "accumulate": experiment.accumulate, "memory_bytes": accelerator.memory_bytes,
        "mathematics_flops": table.matmul_flops / len(devices),
        "least_bytes": table.least_bytes() / len(devices),
        "bound_seconds": bound.seconds, "binds": bound.binds,
        "peak": f"{accelerator.name}, bfloat16 dense; {accelerator.source}",
    }  # fmt: skip
    start = time.perf_counter()
    lowered = step.lower(state, batch)
    try:
        with compiling_anew():
            compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        used = _bytes_that_do_not_fit(str(error))
        if used is None:
            raise
        seconds = time.perf_counter() - start
        return Compiled(**common, fits=False, bytes_per_chip=used, compile_seconds=seconds)
    seconds = time.perf_counter() - start
    return Compiled(
        **common, fits=True, compile_seconds=seconds, **_what_it_says(compiled),
        **_estimate(
            read_schedule(compiled.as_text(), experiment.accumulate), topology, accelerator,
            model_flops / len(devices), convention, experiment.accumulate,
        ),
    )  # fmt: skip


def _model_flops(table: Table, convention: str) -> float:
    """Of the whole step on all chips, by the convention; most count a transformer only.

    What is recomputed in the backward pass is no part of the model's FLOPs.
    """
    if convention == "jaxgen" and table.name != "gpt":
        return table.matmul_flops
    known = {each.name: each for each in CONVENTIONS}
    if convention not in known:
        raise UserError(f"There is no convention {convention!r}; known are {', '.join(known)}.")
    sizes = table.sizes
    if table.name != "gpt":
        raise UserError(f"--convention {convention} counts transformers: leave it out here.")
    return known[convention].flops_per_token(table) * sizes["B"] * sizes["T"]


def _bound(table: Table, accelerator: Accelerator, chips: int) -> Bound:
    """The roofline of a chip's share at the published peaks.

    A chip that holds the whole state moves more bytes than its share, so this is a lower bound.
    """
    return roofline(
        table.matmul_flops, table.least_bytes(),
        chips * accelerator.bfloat16_flops_per_second, chips * accelerator.memory_bytes_per_second,
    )  # fmt: skip


def _what_it_says(compiled: Any) -> dict[str, Any]:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return {
        "bytes_per_chip": held + memory.temp_size_in_bytes + memory.generated_code_size_in_bytes,
        "compiler_flops": cost.get("flops"),
        "compiler_bytes": cost.get("bytes accessed"),
    }


def _estimate(
    schedule: Schedule,
    topology: Topology,
    accelerator: Accelerator,
    model_flops: float,
    convention: str,
    accumulate: int,
) -> dict[str, Any]:
    why = _not_estimable(schedule, accumulate)
    kinds = [collective.kind for collective in schedule.collectives]
    cycles_seconds = schedule.cycles / topology.cycles_per_second
    # The published rate is of both directions of all links; a chip sends in one of them.
    links = accelerator.interconnect_bytes_per_second / 2
    collective_seconds = schedule.sent_bytes / links
    seconds = cycles_seconds + collective_seconds
    least_seconds = model_flops / accelerator.bfloat16_flops_per_second
    return {
        "collectives": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "sent_bytes": schedule.sent_bytes,
        "estimated_cycles": schedule.cycles,
        "operations_estimated": schedule.estimated,
        "operations_unestimated": schedule.unestimated,
        "loops_of_unknown_length": schedule.unknown_loops,
        "not_estimable": why,
        "cycles_seconds": cycles_seconds,
        "collective_seconds": collective_seconds,
        "estimated_seconds": None if why else seconds,
        "mfu": None
        if why
        else fraction_of_ceiling(least_seconds, seconds, f"estimated MFU by {convention}"),
        "convention": convention,
    }


def _not_estimable(schedule: Schedule, accumulate: int) -> str | None:
    """Why the schedule's cycles are not the step's; None where they are.

    The loop over the pieces of a batch, one for each player of a game, is the only one whose length we
    know where the compiler's text does not give it.
    """
    if schedule.unknown_kernels:
        return f"{schedule.unknown_kernels} hand-written kernels have no estimate"
    if schedule.unknown_loops > (2 if accumulate > 1 else 0):
        return f"{schedule.unknown_loops} loops are of unknown length"
    return None


# The two ways in which the compiler says that a program does not fit.
_USED = re.compile(r"[Uu]sed ([\d.]+)([KMGT]?) of [\d.]+[KMGT]? hbm")
_REQUIRED = re.compile(r"memory required for [^(]*\(([\d.]+)([KMGT]?)\) exceeds available HBM")


def _bytes_that_do_not_fit(message: str) -> int | None:
    """What the compiler says that the program would need; None for any other error."""
    found = _USED.search(message) or _REQUIRED.search(message)
    if "RESOURCE_EXHAUSTED" not in message or not found:
        return None
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2] or " "))


def describe(result: Compiled) -> str:
    """The result as text, one quantity a line."""
    lines = [
        f"{result.experiment} on {result.chips} x {result.device_kind} ({result.topology}), "
        f"{result.parallel}, batch {result.batch_size}: compiled, not run",
        f"  fits                       {'yes' if result.fits else 'NO'}: "
        f"{result.bytes_per_chip / 1e9:.3f} of {result.memory_bytes / 1e9:.1f} GB a chip",
        f"  FLOPs by the mathematics   {result.mathematics_flops:.4g} a chip",
        f"  roofline bound             {result.bound_seconds * 1e3:.4g} ms, {result.binds} binds "
        f"(peak: {result.peak})",
        f"  compile time               {result.compile_seconds:.1f} s",
    ]
    if not result.fits:
        return "\n".join(lines)
    exchanges = ", ".join(f"{number} {kind}" for kind, number in result.collectives.items())
    lines += [
        f"  FLOPs by the compiler      {result.compiler_flops:.4g} a chip, loops' bodies once",
        f"  bytes by the compiler      {result.compiler_bytes:.4g} a chip, loops' bodies once",
        f"  collectives                {exchanges or 'none'}; {result.sent_bytes:.4g} bytes sent a chip",
        f"  compiler's estimate        {result.cycles_seconds * 1e3:.4g} ms "
        f"({result.estimated_cycles:,} cycles in {result.operations_estimated} operations; "
        f"{result.operations_unestimated} have no estimate)",
        f"  collectives, least         {result.collective_seconds * 1e3:.4g} ms",
    ]
    if result.not_estimable:
        return "\n".join([*lines, f"  no estimate of the step    {result.not_estimable}"])
    lines.append(
        f"  sum, no overlap            {result.estimated_seconds * 1e3:.4g} ms, "
        f"predicted MFU {result.mfu:.1%} ({result.convention} FLOPs)"
    )
    if result.loops_of_unknown_length:
        lines.append(
            f"  {result.loops_of_unknown_length} loops of a length that the compiler's text does not "
            f"give are taken --accumulate times: {result.accumulate}"
        )
    return "\n".join(lines)
