"""The FLOPs of a real program, by a walk over its jaxpr that multiplies loop bodies by their trips.

XLA's `cost_analysis` counts the body of a loop once, however often it runs, so a recurrent network
over 100 steps comes out 100 times too small
(https://github.com/openxla/xla/blob/main/xla/service/hlo_cost_analysis.cc, `HandleWhile`). This walk
takes scan and while by their number of trips and looks into jit, custom derivatives, remat, shard_map
and pmap. It counts what will run: equations that no output needs are left out, as jit leaves them out,
and what remat computes twice is counted twice. XLA may then still simplify what is left.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import partial_eval

from jaxgen.costs.walk import primitives
from jaxgen.costs.walk.trips import computed_value, constant_value, static_trips


class CountError(ValueError):
    """A program whose cost cannot be told from its jaxpr."""


@dataclass(frozen=True)
class Count:
    """What a program costs, all devices together.

    Attributes:
      dot_flops: of `dot_general`, multiply-add as 2. One that contracts nothing is a product of
        elements and counts as elementwise.
      convolution_flops: taps that fall on data, as XLA counts.
      padded_convolution_flops: every tap, also those on padding and on the zeros of a dilation, as
        the usual formula 2·B·height·width·K·K·C·C' has it.
      elementwise_flops: one per element of floating arithmetic, comparisons and selections included;
        of these transcendental_flops are exp, log, roots and the like.
      notes: choices that the walk made, such as the dearer branch of a cond.
      uncounted: primitives that the walk does not know, taken as free.
    """

    dot_flops: int = 0
    convolution_flops: int = 0
    padded_convolution_flops: int = 0
    elementwise_flops: int = 0
    transcendental_flops: int = 0
    notes: frozenset[str] = frozenset()
    uncounted: frozenset[str] = frozenset()

    @property
    def matmul_flops(self) -> int:
        """Matmuls and convolutions on data: what a cost table calls matmul_flops."""
        return self.dot_flops + self.convolution_flops

    @property
    def flops(self) -> int:
        """All of them."""
        return self.matmul_flops + self.elementwise_flops

    @property
    def flops_like_xla(self) -> int:
        """What XLA calls flops: all but the transcendental ones."""
        return self.flops - self.transcendental_flops

    def __add__(self, other: "Count") -> "Count":
        """Both, one after the other."""
        return Count(*map(_joined, vars(self).values(), vars(other).values()))

    def __mul__(self, times: int) -> "Count":
        """The same so many times."""
        values = vars(self).values()
        return Count(*(value * times if isinstance(value, int) else value for value in values))


def count(function: Callable, *arguments: Any, while_trips: Sequence[int] | None = None) -> Count:
    """The cost of `function(*arguments)`; arrays may be `jax.ShapeDtypeStruct`: nothing is computed.

    Args:
      while_trips: how often each loop runs whose number of trips depends on data, in the order in
        which the program has them (an outer loop before those inside).

    Raises:
      CountError: such a loop was not given its trips, or too many were given; or a primitive may hide
        matrix work for which there is no rule. The message names the primitive.
    """
    return count_jaxpr(jax.make_jaxpr(function)(*arguments), while_trips)


def count_jaxpr(closed_jaxpr: Any, while_trips: Sequence[int] | None = None) -> Count:
    """As `count`, of a jaxpr that `jax.make_jaxpr` gave."""
    trips = iter(while_trips or ())
    jaxpr, constants = closed_jaxpr.jaxpr, map(constant_value, closed_jaxpr.consts)
    known = dict(zip(jaxpr.constvars, constants, strict=True))
    needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), instantiate=True)
    total = _walk(needed, known, trips)
    unused = len(list(trips))
    if unused:
        raise CountError(f"while_trips has {unused} more than there are loops that need one")
    return total


def xla_flops(function: Callable, *arguments: Any) -> float | None:
    """XLA's own count of the same program as it is handed over, which takes each loop body once.

    None on a GPU, whose backend counts only what it has compiled.

    Args:
      function: jitted or not. arguments: as for `count`. Nothing is compiled.
    """
    jitted: Any = function if hasattr(function, "lower") else jax.jit(function)
    analysis = jitted.lower(*arguments).cost_analysis()
    return None if analysis is None else float(analysis["flops"])


def _walk_closed(closed: Any, inputs: list[int | None], trips: Iterator[int]) -> Count:
    known = dict(zip(closed.jaxpr.invars, inputs, strict=True))
    constants = map(constant_value, closed.consts)
    known |= dict(zip(closed.jaxpr.constvars, constants, strict=True))
    return _walk(closed.jaxpr, known, trips)


def _walk(jaxpr: Any, known: dict, trips: Iterator[int]) -> Count:
    """`known` gives the value of each scalar whole number that does not depend on data."""
    total = Count()
    for eqn in jaxpr.eqns:
        total += _equation(eqn, known, trips)
        if eqn.primitive.name == "platform_index":
            known[eqn.outvars[0]] = _platform_index(eqn.params["platforms"])
        elif len(eqn.outvars) == 1:
            known[eqn.outvars[0]] = computed_value(eqn, lambda atom: _lookup(atom, known))
    return total


def _platform_index(platforms: Sequence[Sequence[str] | None]) -> int | None:
    """The branch of `lax.platform_dependent` that this process's backend runs; None fits them all."""
    backend = jax.default_backend()
    names = {"gpu", "cuda", "rocm"} if backend == "gpu" else {backend}
    fitting = (i for i, branch in enumerate(platforms) if branch is None or names & set(branch))
    return next(fitting, None)


def _lookup(atom: Any, known: dict) -> int | None:
    return constant_value(atom.val) if isinstance(atom, core.Literal) else known.get(atom)


def _equation(eqn: Any, known: dict, trips: Iterator[int]) -> Count:
    name = eqn.primitive.name
    values = [_lookup(atom, known) for atom in eqn.invars]
    if name in primitives.CALLS:
        return _call(eqn, values, trips)
    if name == "scan":
        body = eqn.params["jaxpr"]
        return _walk_closed(body, [None] * len(values), trips) * eqn.params["length"]
    if name == "while":
        return _while(eqn, values, trips)
    if name == "cond":
        return _cond(eqn, values, trips)
    if name == "dot_general":
        return _dot(eqn)
    if name == "conv_general_dilated":
        return _convolution(eqn)
    if name in primitives.CUDNN:
        return _cudnn(eqn)
    return _elementwise(eqn)


def _call(eqn: Any, values: list[int | None], trips: Iterator[int]) -> Count:
    inner = eqn.params[primitives.CALLS[eqn.primitive.name]]
    if hasattr(inner, "consts"):
        total = _walk_closed(inner, values, trips)
    else:
        total = _walk(inner, dict(zip(inner.invars, values, strict=True)), trips)
    return total * _devices(eqn) if eqn.primitive.name == "shard_map" else total


def _devices(eqn: Any) -> int:
    """How many devices run the body of a shard_map; its shapes are those of one device's part."""
    sizes = eqn.params["mesh"].shape
    return math.prod(sizes[axis] for axis in eqn.params["newly_manual_axes"])


def _while(eqn: Any, values: list[int | None], trips: Iterator[int]) -> Count:
    count_of_trips = static_trips(eqn, values, lambda atom: _lookup(atom, {}))
    if count_of_trips is None:
        count_of_trips = next(trips, None)
    if count_of_trips is None:
        raise CountError(
            "while: how often this loop runs depends on data, so its cost is not in the jaxpr; give "
            "its number of trips in while_trips"
        )
    body, condition = eqn.params["body_jaxpr"], eqn.params["cond_jaxpr"]
    # A carried value changes from trip to trip, so only the constants stay known inside.
    first = eqn.params["cond_nconsts"]
    constants = values[first : first + eqn.params["body_nconsts"]]
    inputs = constants + [None] * (len(body.jaxpr.invars) - len(constants))
    test = _walk_closed(condition, [None] * len(condition.jaxpr.invars), trips)
    return _walk_closed(body, inputs, trips) * count_of_trips + test * (count_of_trips + 1)


def _cond(eqn: Any, values: list[int | None], trips: Iterator[int]) -> Count:
    choice, *inputs = values
    if choice is not None:
        return _walk_closed(eqn.params["branches"][choice], inputs, trips)
    branches = [_walk_closed(branch, inputs, trips) for branch in eqn.params["branches"]]
    dearest = max(branches, key=lambda branch: branch.flops)
    if all(branch.flops == dearest.flops for branch in branches):
        return dearest
    return dearest + Count(notes=frozenset({f"cond: the dearest of {len(branches)} branches"}))


def _dot(eqn: Any) -> Count:
    _reject_complex(eqn)
    (contracted, _), _ = eqn.params["dimension_numbers"]
    left, result = eqn.invars[0].aval, eqn.outvars[0].aval
    if not contracted:
        return Count(elementwise_flops=result.size)
    return Count(dot_flops=2 * result.size * math.prod(left.shape[axis] for axis in contracted))


def _cudnn(eqn: Any) -> Count:
    """As if every pair of query (B, T, N, H) and key (B, S, ., H) were computed."""
    (B, T, N, H), S = eqn.invars[0].aval.shape, eqn.invars[1].aval.shape[1]
    return Count(
        dot_flops=2 * B * N * T * S * H * primitives.CUDNN[eqn.primitive.name],
        notes=frozenset({"cuDNN's attention: all pairs, backward with its scores again"}),
    )


def _convolution(eqn: Any) -> Count:
    _reject_complex(eqn)
    left, kernel = (atom.aval.shape for atom in eqn.invars)
    result = eqn.outvars[0].aval.shape
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    batch = left[numbers.lhs_spec[0]] // params["batch_group_count"]
    channels = kernel[numbers.rhs_spec[0]] * kernel[numbers.rhs_spec[1]]
    on_data = taps = 1
    for axis, (low, _) in enumerate(params["padding"]):
        size, width = left[numbers.lhs_spec[2 + axis]], kernel[numbers.rhs_spec[2 + axis]]
        places = result[numbers.out_spec[2 + axis]]
        hole, spread = params["lhs_dilation"][axis], params["rhs_dilation"][axis]
        stride = params["window_strides"][axis]
        positions = (o * stride + k * spread - low for o in range(places) for k in range(width))
        on_data *= sum(0 <= p <= (size - 1) * hole and p % hole == 0 for p in positions)
        taps *= places * width
    return Count(
        convolution_flops=2 * batch * channels * on_data,
        padded_convolution_flops=2 * batch * channels * taps,
    )


def _reject_complex(eqn: Any) -> None:
    if jnp.issubdtype(eqn.outvars[0].aval.dtype, jnp.complexfloating):
        raise CountError(f"{eqn.primitive.name}: there is no rule for complex numbers")


def _elementwise(eqn: Any) -> Count:
    name = eqn.primitive.name
    if name in primitives.FREE:
        return Count()
    if name in primitives.HEAVY:
        raise CountError(f"{name}: there is no rule for this primitive, and it may be dear")
    size = eqn.outvars[0].aval.size
    if name in primitives.COUNTED and not any(map(_is_floating, eqn.invars)):
        return Count()
    if name in primitives.ARITHMETIC or name in primitives.CUMULATIVE:
        return Count(elementwise_flops=size)
    if name in primitives.TRANSCENDENTAL:
        return Count(elementwise_flops=size, transcendental_flops=size)
    if name == "integer_pow":
        return Count(elementwise_flops=size * _power_products(eqn.params["y"]))
    if name in primitives.REDUCTIONS:
        return Count(elementwise_flops=eqn.invars[0].aval.size - size)
    if name in primitives.SCATTERS:
        return Count(elementwise_flops=eqn.invars[2].aval.size)
    if name in primitives.WINDOWS:
        places = eqn.invars[0].aval.size if name == "select_and_scatter_add" else size
        return Count(elementwise_flops=places * (math.prod(eqn.params["window_dimensions"]) - 1))
    if any(hasattr(value, "eqns") or hasattr(value, "jaxpr") for value in _flat(eqn.params)):
        raise CountError(
            f"{name}: there is no rule for this primitive, which runs an inner program"
        )
    return Count(uncounted=frozenset({name}))


def _is_floating(atom: Any) -> bool:
    return jnp.issubdtype(getattr(atom.aval, "dtype", None), jnp.floating)


def _flat(params: dict) -> Iterator[Any]:
    for value in params.values():
        yield from value if isinstance(value, tuple | list) else (value,)


def _power_products(exponent: int) -> int:
    """Products in x^y by repeated squaring, and a division where y is negative."""
    size = abs(exponent)
    products = max(0, size.bit_length() - 1 + size.bit_count() - 1)
    return products + (exponent < 0)


def _joined(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, int) else one | other
