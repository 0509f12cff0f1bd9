"""What XLA's compiled text says of a program: estimated cycles, loops, collectives.

A TPU executable's text lists the operations in the order in which they are scheduled. The compiler
writes its estimate beside those it has a model for (`"estimated_cycles":"6324"`); a loop carries its
number of trips (`"known_trip_count":{"n":"12"}`), or `loops.py` reads it. Collectives and copies carry
no estimate.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.aot.loops import loop_trips

_ITEM_BYTES = {
    "pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2,
    "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
}  # fmt: skip
_ARRAY = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")
_NAMED = re.compile(r"^\s+(ROOT )?%?([\w.-]+) = (.*)$")
_CALLED = re.compile(
    r"\b(?:body|condition|to_apply|calls|true_computation|false_computation)=%?([\w.-]+)"
)
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
COLLECTIVES = (
    "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "ragged-all-to-all",
    "collective-permute", "collective-broadcast",
)  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """One line: `name = shape opcode(operands), attributes`."""

    name: str
    shape: str
    opcode: str
    rest: str
    is_root: bool = False

    @property
    def cycles(self) -> int | None:
        """The compiler's estimate; None where it gives none."""
        found = re.search(r'"estimated_cycles":"?(\d+)', self.rest)
        return int(found[1]) if found else None

    @property
    def operands(self) -> list[str]:
        """The names of what it works on."""
        depth = 0
        for place, letter in enumerate(self.rest):
            depth += (letter in "([{") - (letter in ")]}")
            if depth < 0:
                return re.findall(r"%([\w.-]+)", self.rest[:place])
        return []

    @property
    def noted_trips(self) -> int | None:
        """Of a while: how often it runs; None where the compiler did not note it."""
        found = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', self.rest)
        return int(found[1]) if found else None

    @property
    def called(self) -> list[str]:
        """The computations that it names."""
        names = _CALLED.findall(self.rest)
        for branches in _BRANCHES.findall(self.rest):
            names += [name.strip().lstrip("%") for name in branches.split(",")]
        return names


@dataclass(frozen=True)
class Collective:
    """One exchange between chips.

    Attributes:
      kind: e.g. all-reduce. array_bytes: of the whole array that is reduced or gathered.
      group: chips that take part. times: how often it runs in the program.
    """

    kind: str
    array_bytes: int
    group: int
    times: int

    @property
    def sent_bytes(self) -> float:
        """What each chip has to send, all runs together, by the ring algorithm, which sends least.

        Thakur et al. 2005, "Optimization of collective communication operations in MPICH",
        https://doi.org/10.1177/1094342005051521: (n-1)/n of the array, twice for an all-reduce.
        """
        share = (self.group - 1) / self.group
        if self.kind == "all-reduce":
            share *= 2
        elif self.kind.startswith("collective"):
            share = 1.0
        return self.times * share * self.array_bytes


@dataclass(frozen=True)
class Schedule:
    """What one chip executes.

    Attributes:
      cycles: the estimates, loops multiplied by their trips.
      estimated, unestimated: operations with and without an estimate; bookkeeping is not counted.
      unestimated_bytes: what those without write, such as the rows that a gather takes or the table that
        a scatter updates.
      unknown_loops: loops whose number of trips the text does not give, taken once.
      unknown_kernels: hand-written (Pallas) kernels, for which the compiler gives no estimate.
      collectives: each exchange once.
    """

    cycles: int
    estimated: int
    unestimated: int
    unestimated_bytes: int
    unknown_loops: int
    unknown_kernels: int
    collectives: tuple[Collective, ...]

    @property
    def sent_bytes(self) -> float:
        """What each chip has to send in all collectives."""
        return sum(collective.sent_bytes for collective in self.collectives)


# Operations that move or compute nothing, or whose time is hidden behind that of others.
_BOOKKEEPING = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "call", "conditional",
    "copy-start", "slice-start", "async-start", "async-update",
    "after-all", "partition-id", "replica-id", "iota", "optimization-barrier",
}  # fmt: skip


def read_schedule(text: str) -> Schedule:
    """The schedule of a compiled program, from `compiled.as_text()`."""
    computations, entry = _computations(text)
    loops = {
        instruction.name: instruction.noted_trips
        or loop_trips(instruction, computation, computations)
        for computation in computations.values()
        for instruction in computation.values()
        if instruction.opcode == "while"
    }
    runs = list(_runs(computations, loops, entry, 1))
    exchanges, carriers = _exchanges(computations, runs)
    cycles = estimated = unestimated = written = kernels = 0
    for instruction, times in runs:
        if instruction.cycles is not None:
            cycles += instruction.cycles * times
            estimated += 1
        elif "tpu_custom_call" in instruction.rest:
            kernels += 1
        elif instruction.name not in carriers and not _is_bookkeeping(instruction):
            unestimated += 1
            written += array_bytes(instruction.shape) * times
    unknown = [i for i, _ in runs if i.opcode == "while" and loops[i.name] is None]
    return Schedule(cycles, estimated, unestimated, written, len(unknown), kernels, exchanges)


def array_bytes(shape: str) -> int:
    """The bytes of an array or of all arrays of a tuple, from a shape's text; padding left out."""
    return sum(
        _ITEM_BYTES.get(dtype, 0) * math.prod(int(size) for size in sizes.split(",") if size)
        for dtype, sizes in _ARRAY.findall(shape)
    )


def _computations(text: str) -> tuple[dict[str, dict[str, Instruction]], str]:
    """Each computation's instructions by both names, and the name of the entry."""
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith((" ", "HloModule")):
            name = line.removeprefix("ENTRY ").split(" ")[0].lstrip("%")
            entry = name if line.startswith("ENTRY") else entry
            current = computations.setdefault(name, {})
        elif current is not None and (found := _NAMED.match(line)):
            shape, rest = _split_shape(found[3])
            opcode, _, rest = rest.partition("(")
            current[found[2]] = Instruction(found[2], shape, opcode, rest, found[1] is not None)
    return computations, entry


def _split_shape(text: str) -> tuple[str, str]:
    """(shape, what follows it); a tuple's shape has spaces, so its brackets are counted."""
    if not text.startswith("("):
        shape, _, rest = text.partition(" ")
        return shape, rest
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[: place + 1], text[place + 1 :].lstrip()
    return text, ""


def _runs(
    computations: dict, loops: dict, name: str, times: int
) -> Iterator[tuple[Instruction, int]]:
    """Every scheduled instruction from here on, with how often it runs; fusions stay closed."""
    for instruction in computations.get(name, {}).values():
        yield instruction, times
        if instruction.opcode in ("while", "call", "conditional"):
            trips = loops.get(instruction.name)
            for called in instruction.called:
                yield from _runs(
                    computations, loops, called, times * (1 if trips is None else trips)
                )


def _exchanges(computations: dict, runs: list) -> tuple[tuple[Collective, ...], set[str]]:
    """Each collective once, and the names of the instructions that are one or hold one.

    One that is split over several fusions keeps its channel; beside each other they may share one: all
    those of a pmap do.
    """
    found: dict[Any, Collective] = {}

    def look(instruction, times, seen) -> bool:
        kind = _kind(instruction)
        if kind is not None:
            exchange = _read(instruction, kind, times)
            channel = re.search(r"channel_id=(\d+)", instruction.rest)
            split = channel and seen
            found.setdefault((channel[1], exchange) if split else instruction.name, exchange)
        inside = False
        if instruction.opcode in ("fusion", "async-start", "custom-call"):
            for called in set(instruction.called) - seen:
                for inner in computations.get(called, {}).values():
                    inside |= look(inner, times, seen | {called})
        return inside or kind is not None

    carriers = {i.name for i, times in runs if look(i, times, frozenset())}
    return tuple(found.values()), carriers


def _is_bookkeeping(instruction: Instruction) -> bool:
    opcode = instruction.opcode
    # Parts of one array side by side, and a place for one.
    if re.search(r'custom_call_target="(ConcatBitcast|AllocateBuffer)"', instruction.rest):
        return True
    return opcode in _BOOKKEEPING or opcode.endswith("-done")


def _kind(instruction: Instruction) -> str | None:
    kind = instruction.opcode.removesuffix("-start")
    return kind if kind in COLLECTIVES else None


def _read(instruction: Instruction, kind: str, times: int) -> Collective:
    shape, group = instruction.shape, group_size(instruction.rest)
    if instruction.opcode.endswith("-start") and kind in ("all-gather", "collective-permute"):
        shape = _elements(shape)[1]  # (operands, results, ...)
    size = array_bytes(shape)
    return Collective(kind, size * group if kind == "reduce-scatter" else size, group, times)


def _elements(shape: str) -> list[str]:
    """The elements of a tuple's shape."""
    parts, depth, start = [], 0, 1
    for place, letter in enumerate(shape):
        depth += (letter in "([{") - (letter in ")]}")
        if (depth == 1 and letter == ",") or depth == 0:
            parts.append(shape[start:place].strip())
            start = place + 1
    return parts


def group_size(attributes: str) -> int:
    """How many chips a collective joins, in each of the three ways that XLA writes it; 2 unknown."""
    if found := re.search(r"replica_groups=\{\{([\d,]+)\}", attributes):
        return len(found[1].split(","))
    if found := re.search(r"replica_groups=\[(\d+),(\d+)\]<=", attributes):
        return int(found[2])
    if found := re.search(r"replica_groups=@?mesh\S*?\[([^\]]*)\] \{([^}]*)\}", attributes):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found[2]))
    return 2
