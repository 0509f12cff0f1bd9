"""How often a `while` of a jaxpr runs, where its counter and bound are known whole numbers.

Handles the loops that `lax.fori_loop` and the usual `lax.while_loop` with a counter make: the
condition is one comparison of a carried counter with a bound, and the body adds a known number to the
counter. The bound may be carried along unchanged. jax's objects are only read, by their attributes.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

Lookup = Callable[[Any], int | None]

_FLIPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "ne": "ne"}
_FOLDED = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "max": max, "min": min}
_PASSED = ("convert_element_type", "copy", "stop_gradient", "pvary", "broadcast_in_dim")


def constant_value(constant: Any) -> int | None:
    """The whole number that a constant is; None for an array or anything else."""
    is_scalar = getattr(constant, "shape", None) == () or isinstance(constant, int)
    kind = getattr(getattr(constant, "dtype", None), "kind", "i")
    return int(constant) if is_scalar and kind in ("i", "u") else None


def computed_value(eqn: Any, lookup: Lookup) -> int | None:
    """The whole number that an equation computes from known ones, which lookup tells; else None."""
    aval = eqn.outvars[0].aval
    if getattr(aval, "shape", None) != () or getattr(aval.dtype, "kind", "") not in ("i", "u"):
        return None
    values = [lookup(atom) for atom in eqn.invars]
    if None in values or not values:
        return None
    name = eqn.primitive.name
    if name in _PASSED:
        return values[0]
    return _FOLDED[name](*values) if name in _FOLDED else None


def static_trips(eqn: Any, values: Sequence[int | None], literal: Lookup) -> int | None:
    """Trips of the `while` equation, or None where they depend on data.

    Args:
      eqn: the equation. values: what is known of its inputs. literal: the value of a literal.
    """
    condition, body = eqn.params["cond_jaxpr"].jaxpr, eqn.params["body_jaxpr"].jaxpr
    num_test, num_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    start = num_test + num_body
    if len(condition.eqns) != 1 or condition.eqns[0].primitive.name not in _FLIPPED:
        return None
    test = condition.eqns[0]
    # Where each operand of the comparison comes from: a place in the carry, and what it starts as.
    places = [_place(atom, condition.invars) for atom in test.invars]
    starts = [
        literal(atom) if place is None else values[place if place < num_test else place + num_body]
        for atom, place in zip(test.invars, places, strict=True)
    ]
    if None in starts:
        return None
    steps = []
    for place in places:
        if place is None or place < num_test:
            steps.append(0)
        else:
            constants = values[num_test:start]
            steps.append(_step(body, place - num_test, num_body, constants, literal))
    if None in steps:
        return None
    name = test.primitive.name
    if steps[0] == 0 != steps[1]:
        name, starts, steps = _FLIPPED[name], starts[::-1], steps[::-1]
    return count_trips(name, starts[0], starts[1], steps[0]) if steps[1] == 0 else None


def _place(atom: Any, variables: Sequence[Any]) -> int | None:
    return next((i for i, variable in enumerate(variables) if variable is atom), None)


def _step(
    body: Any, index: int, num_constants: int, constants: Sequence[int | None], literal: Lookup
) -> int | None:
    """What one trip adds to the carried value, or None where that is not a known number."""
    before, after = body.invars[num_constants + index], body.outvars[index]
    if after is before:
        return 0
    makers = [eqn for eqn in body.eqns if any(out is after for out in eqn.outvars)]
    if not makers or makers[0].primitive.name not in ("add", "sub"):
        return None
    (eqn,) = makers
    left, right = eqn.invars

    def value(atom):
        place = _place(atom, body.invars)
        if place is None:
            return literal(atom)
        return constants[place] if place < num_constants else None

    if left is before and value(right) is not None:
        return value(right) if eqn.primitive.name == "add" else -value(right)
    if right is before and eqn.primitive.name == "add":
        return value(left)
    return None


def count_trips(name: str, first: int, bound: int, step: int) -> int | None:
    """How often `first <name> bound` holds when first grows by step; None for an endless loop.

    Args:
      name: lt, le, gt, ge or ne.
    """
    if name == "ne":
        gap = bound - first
        return gap // step if step and gap % step == 0 and gap // step >= 0 else None
    if name in ("le", "ge"):
        name, bound = ("lt", bound + 1) if name == "le" else ("gt", bound - 1)
    holds = first < bound if name == "lt" else first > bound
    if not holds:
        return 0
    moves_towards = step > 0 if name == "lt" else step < 0
    return len(range(first, bound, step)) if moves_towards else None
