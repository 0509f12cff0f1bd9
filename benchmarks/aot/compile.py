"""Any experiment's real step, compiled by the real compiler for chips that are not there.

What is printed is compiled, not run. The estimated time is the sum of the compiler's own estimates
over its schedule, loops multiplied by their trips, plus the least time of what it does not estimate, as
if nothing overlapped: collectives at the published rate of the links that the slice has, other
operations at the memory's rate, attention kernels at the peak rate of attention's matmuls. The compiler
for GPUs gives memory and the program, no costs: there is no estimate of its time.
"""

import math
import re
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax

from benchmarks.aot.hlo import Schedule, read_schedule
from benchmarks.aot.topology import Topology
from benchmarks.measure.shapes import shard, step_shapes
from benchmarks.measure.timing import compiling_anew
from jaxgen.costs.conventions import find_convention
from jaxgen.costs.hardware import Accelerator, find_accelerator
from jaxgen.costs.roofline import fraction_of_ceiling, roofline
from jaxgen.costs.table import Table
from jaxgen.data import Data
from jaxgen.devices.sharding import parse_mesh
from jaxgen.errors import UserError
from jaxgen.families.base import Experiment


@dataclass(frozen=True)
class Compiled:
    """One step compiled for one topology; None where the program does not fit the chip's memory.

    Sizes, FLOPs and bytes are of one chip; seconds are estimates, never measured. sent_bytes is what a
    chip sends in collectives, collectives how many exchanges of each kind. mfu is by `convention`, the
    bound of all that is computed, recomputation included. not_estimable says why there is no estimate.
    unestimated_seconds is the least time of operations, kernel_seconds that of hand-written attention
    kernels, for which the compiler has no estimate.
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
    hand_written_kernels: int | None = None
    not_estimable: str | None = None
    cycles_seconds: float | None = None
    unestimated_seconds: float | None = None
    kernel_seconds: float | None = None
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
    convention: str = "jaxgen",
) -> Compiled:
    """Compile the step for the topology.

    Raises UserError where the chips do not divide the batch or the convention does not apply.
    """
    devices = topology.devices
    hosts = len({device.process_index for device in devices})
    if parallel == "pmap" and hosts > 1:  # it would be compiled for the first host's chips alone
        raise UserError(
            f"--parallel pmap compiles for the chips of one host, and {topology.name} has {hosts}: "
            "choose --parallel mesh, or fewer chips."
        )
    accelerator = find_accelerator(devices[0].device_kind)
    table = experiment.costs(data.spec)
    model_flops = _model_flops(table, convention)
    step, state, batch = shard(step_shapes(experiment, data), devices, parallel, mesh)
    least_bytes = least_bytes_of_a_chip(experiment, data.spec, len(devices), mesh)
    bound = roofline(
        table.matmul_flops / len(devices), least_bytes,
        accelerator.bfloat16_flops_per_second, accelerator.memory_bytes_per_second,
    )  # fmt: skip
    common = {
        "experiment": name, "topology": topology.name, "device_kind": devices[0].device_kind,
        "chips": len(devices), "parallel": f"{parallel} {mesh}" if mesh else parallel,
        "batch_size": experiment.batch_size,
        "accumulate": experiment.accumulate, "memory_bytes": accelerator.memory_bytes,
        "mathematics_flops": table.matmul_flops / len(devices),
        "least_bytes": least_bytes,
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
    said = _what_it_says(compiled)
    return Compiled(
        **common, fits=said["bytes_per_chip"] <= accelerator.memory_bytes, compile_seconds=seconds,
        **said,
        **_estimate(
            read_schedule(compiled.as_text()), topology, accelerator,
            model_flops / len(devices), convention, _attention_flops(table) / len(devices),
        ),
    )  # fmt: skip


def _model_flops(table: Table, convention: str) -> float:
    """Of the whole step on all chips, by the convention; most count a transformer only.

    What is recomputed in the backward pass is no part of the model's FLOPs.
    """
    if convention == "jaxgen" and not table.is_transformer:
        return table.matmul_flops
    found, sizes = find_convention(convention), table.sizes
    if not table.is_transformer:
        raise UserError(f"--convention {convention} counts transformers: leave it out here.")
    return found.flops_per_token(table) * sizes["B"] * sizes["T"]


def least_bytes_of_a_chip(experiment: Experiment, spec: Any, chips: int, mesh: str | None) -> float:
    """What a chip has to move at the least: its share of the batch's results, and its part of the state.

    Over `data` every chip reads and updates the whole state; `fsdp` and `model` split it. What does not
    depend on the batch is what a step on an empty batch would move.
    """
    sizes = parse_mesh(mesh) if mesh else {"data": chips, "fsdp": 1, "model": 1}
    share = experiment.batch_size // (sizes["data"] * sizes["fsdp"])
    table = replace(experiment, batch_size=share, accumulate=1).costs(spec)
    empty = [replace(row, sizes={**row.sizes, "B": 0}) for row in table.rows]
    of_state = Table(table.name, tuple(empty)).least_bytes()
    of_batch = table.least_bytes() - of_state
    return of_state / (sizes["fsdp"] * sizes["model"]) + of_batch / sizes["model"]


def _attention_flops(table: Table) -> int:
    """Of the two products that an attention kernel fuses, in all phases; 0 without a transformer."""
    return sum(row.flops() for row in table.rows if row.name in ("scores", "mix"))


def _what_it_says(compiled: Any) -> dict[str, Any]:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
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
    attention_flops: float,
) -> dict[str, Any]:
    why = _not_estimable(schedule, attention_flops)
    kinds = [collective.kind for collective in schedule.collectives]
    cycles_seconds = schedule.cycles / (topology.cycles_per_second or math.inf)
    # Written, and at least as much read.
    unestimated_seconds = 2 * schedule.unestimated_bytes / accelerator.memory_bytes_per_second
    kernels = attention_flops if schedule.unknown_kernels else 0
    kernel_seconds = kernels / accelerator.bfloat16_flops_per_second
    # The published rate is of both directions of all links; a chip sends in one of them.
    links = accelerator.interconnect_bytes_per_second / 2 * topology.share_of_links
    collective_seconds = schedule.sent_bytes / links if schedule.sent_bytes else 0.0
    seconds = cycles_seconds + unestimated_seconds + kernel_seconds + collective_seconds
    least_seconds = model_flops / accelerator.bfloat16_flops_per_second
    return {
        "collectives": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "sent_bytes": schedule.sent_bytes,
        "estimated_cycles": schedule.cycles,
        "operations_estimated": schedule.estimated,
        "operations_unestimated": schedule.unestimated,
        "loops_of_unknown_length": schedule.unknown_loops,
        "hand_written_kernels": schedule.unknown_kernels,
        "not_estimable": why,
        "cycles_seconds": cycles_seconds,
        "unestimated_seconds": unestimated_seconds,
        "kernel_seconds": kernel_seconds,
        "collective_seconds": collective_seconds,
        "estimated_seconds": None if why else seconds,
        "mfu": None
        if why
        else fraction_of_ceiling(least_seconds, seconds, f"estimated MFU by {convention}"),
        "convention": convention,
    }


def _not_estimable(schedule: Schedule, attention_flops: float) -> str | None:
    """Why the schedule's cycles are not the step's; None where they are.

    Attention's are the only hand-written kernels that we have.
    """
    if not schedule.estimated:
        return "this compiler gives no costs"
    if schedule.unknown_kernels and not attention_flops:
        return f"{schedule.unknown_kernels} hand-written kernels have no estimate"
    if schedule.unknown_loops:
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
    if result.compiler_flops is not None:
        lines += [
            f"  FLOPs by the compiler      {result.compiler_flops:.4g} a chip, loops' bodies once",
            f"  bytes by the compiler      {result.compiler_bytes:.4g} a chip, loops' bodies once",
        ]
    lines += [
        f"  collectives                {exchanges or 'none'}; {result.sent_bytes:.4g} bytes sent a chip",
        f"  collectives, least         {result.collective_seconds * 1e3:.4g} ms",
    ]
    if not result.operations_estimated:
        return "\n".join([*lines, f"  no estimate of the step    {result.not_estimable}"])
    lines += [
        f"  compiler's estimate        {result.cycles_seconds * 1e3:.4g} ms "
        f"({result.estimated_cycles:,} cycles in {result.operations_estimated} operations)",
        f"  without estimate, least    {result.unestimated_seconds * 1e3:.4g} ms "
        f"in {result.operations_unestimated} operations, by the bytes that they write",
    ]
    if result.hand_written_kernels:
        lines.append(
            f"  attention kernels, least   {result.kernel_seconds * 1e3:.4g} ms: "
            f"{result.hand_written_kernels} without an estimate, by attention's FLOPs at the peak"
        )
    if result.not_estimable:
        return "\n".join([*lines, f"  no estimate of the step    {result.not_estimable}"])
    lines.append(
        f"  sum, no overlap            {result.estimated_seconds * 1e3:.4g} ms, "
        f"predicted MFU {result.mfu:.1%} ({result.convention} FLOPs)"
    )
    return "\n".join(lines)
