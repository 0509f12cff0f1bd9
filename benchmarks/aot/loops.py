"""How often a loop of XLA's compiled text runs, read from its condition, body and start.

The compiler writes the number beside most loops; beside those that it made late, such as a matmul that
passes its operand around a ring of chips, it does not. What is read here is a counter that starts at a
constant, to which the body adds a constant, and which the condition compares with a constant.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxgen.costs.walk.trips import count_trips

Computation = Mapping[str, Any]
"""Instructions by their name."""

_PASSED = ("copy", "bitcast", "convert", "copy-done", "copy-start")


def loop_trips(
    loop: Any, caller: Computation, computations: Mapping[str, Computation]
) -> int | None:
    """The trips of a `while` instruction of `caller`; None where the text does not tell."""
    called = dict(re.findall(r"\b(condition|body)=%?([\w.-]+)", loop.rest))
    condition, body = (computations.get(called.get(part), {}) for part in ("condition", "body"))
    test, result = _root(condition), _root(body)
    start = _find(caller, loop.operands[0]) if loop.operands else None
    if test is None or test.opcode != "compare" or result is None or start is None:
        return None
    if result.opcode != "tuple" or start.opcode != "tuple":
        return None

    def step(place: int) -> int | None:
        return _step(body, result.operands[place], place)

    def begin(place: int) -> int | None:
        return _constant(caller, start.operands[place])

    sides = [_side(condition, name, begin, step) for name in test.operands]
    if None in sides or len(sides) != 2:
        return None
    (first, by), (bound, other) = sides
    direction = re.search(r"direction=(\w\w)", test.rest)[1].lower()
    if by == 0 != other:
        first, by, bound, other = bound, other, first, by
        direction = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}.get(direction, direction)
    return count_trips(direction, first, bound, by) if other == 0 and direction != "eq" else None


def _side(
    condition: Computation, name: str, begin: Callable, step: Callable
) -> tuple[int, int] | None:
    """(first value, what each trip adds) of an operand of the comparison."""
    constant = _constant(condition, name)
    if constant is not None:
        return constant, 0
    place = _place(_find(condition, name))
    if place is None:
        return None
    first, by = begin(place), step(place)
    return None if first is None or by is None else (first, by)


def _step(body: Computation, name: str, place: int) -> int | None:
    """What the body adds to the carried value at `place`."""
    made = _find(body, name)
    if made is None or _place(made) == place:
        return None if made is None else 0
    if made.opcode != "add":
        return None
    carried = [_place(_find(body, operand)) == place for operand in made.operands]
    added = [_constant(body, operand) for operand in made.operands]
    if carried == [True, False]:
        return added[1]
    return added[0] if carried == [False, True] else None


def _place(instruction: Any) -> int | None:
    """Which element of the loop's state an instruction takes out."""
    if instruction is None or instruction.opcode != "get-tuple-element":
        return None
    return int(re.search(r"index=(\d+)", instruction.rest)[1])


def _constant(computation: Computation, name: str) -> int | None:
    found = _find(computation, name)
    value = re.match(r"(-?\d+)\)", found.rest) if found and found.opcode == "constant" else None
    return int(value[1]) if value else None


def _find(computation: Computation, name: str) -> Any:
    """The instruction of that name, through what only passes it on."""
    found = computation.get(name)
    while found is not None and found.opcode in _PASSED and found.operands:
        found = computation.get(found.operands[0])
    return found


def _root(computation: Computation) -> Any:
    root = next((each for each in computation.values() if each.is_root), None)
    return None if root is None else _find(computation, root.name)
