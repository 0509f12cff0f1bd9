"""One case: the losses of both sides compared, then their steps timed in turn."""

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
import torch

from benchmarks.peers.bursts import (
    Ceiling,
    Elsewhere,
    best_rate,
    compare,
    disturbance,
    interleave,
    largest_difference,
    steps_in_burst,
)
from benchmarks.peers.ours import Ours
from benchmarks.peers.theirs import Theirs

SIDES = {"eager": False, "compiled": True}
"""PyTorch's, and whether torch.compile takes their losses."""

CHECKED_UPDATES = 5
FIRST_TOLERANCE = 1e-5
"""Of the first losses: the same parameters, batch and draws leave only float32's rounding in another
order, a few units of 6e-8 where nothing cancels."""

MATMUL_SIZE = 1024


def measure(
    family: str, case: str, bursts: int, seconds: float, best: dict[str, float]
) -> dict[str, Any]:
    """One row; `best` keeps the best matmul rates of the process.

    Raises RuntimeError where a peer is not the same step: its losses differ from ours.
    """
    module = importlib.import_module(f"benchmarks.peers.{family}")
    # What is no training step brings sides and a comparison of its own.
    make, compared = getattr(module, "make_sides", None), getattr(module, "check", check)
    ours, others = make(case) if make else make_sides(family, case)
    first, later = compared(case, ours, others)
    sides = {"ours": ours, **others}
    runs = {name: side.run for name, side in sides.items()}
    for run in runs.values():
        run(2)  # what a first call compiles
    matmuls = make_matmuls()
    before, elsewhere = _rates(matmuls), Elsewhere(usable_cores())
    steps = {name: steps_in_burst(run, sides[name].size, seconds) for name, run in runs.items()}
    times = interleave(runs, steps, bursts)
    share, after = elsewhere.share(), _rates(matmuls)
    ceilings = {name: Ceiling(before[name], after[name]) for name in matmuls}
    best |= {name: max(best.get(name, 0.0), ceiling.best) for name, ceiling in ceilings.items()}
    return {
        "case": case, "batch_size": ours.experiment.batch_size, "matmul_flops": ours.flops,
        "steps_per_burst": steps, **compare(times, tuple(SIDES)),
        "first_difference": first, "later_difference": later,
        "matmul_flops_per_second": {name: asdict(each) for name, each in ceilings.items()},
        "elsewhere": share, "disturbed": disturbance(ceilings, best, share),
    }  # fmt: skip


def make_sides(
    family: str, case: str, sides: Mapping[str, bool] = SIDES
) -> tuple[Ours, dict[str, Theirs]]:
    """Our training and its peers, all before their first step, with the same parameters."""
    module = importlib.import_module(f"benchmarks.peers.{family}")
    ours = Ours(module.CASES[case])
    others = {
        side: Theirs(ours, module.make_step(ours, compiled=compiled))
        for side, compiled in sides.items()
    }
    return ours, others


def check(case: str, ours: Ours, others: Mapping[str, Theirs]) -> tuple[float, float]:
    """The largest relative differences of the first losses, and of those up to some updates later.

    Every step has its own batch, and torch's steps take what ours draw: noise and dropout's masks.
    Raises RuntimeError where a difference is beyond its tolerance.
    """
    draws = ours.draws(CHECKED_UPDATES + 1)
    expected = ours.losses(CHECKED_UPDATES + 1)
    found = [other.losses(draws) for other in others.values()]
    first = max(largest_difference(expected[:1], losses[:1]) for losses in found)
    later = max(largest_difference(expected, losses) for losses in found)
    if first > FIRST_TOLERANCE or later > ours.tolerance:
        raise RuntimeError(
            f"{case}: PyTorch's losses differ from ours by {first:.1e} at first, by {later:.1e} "
            f"within {CHECKED_UPDATES} updates: its step is another one"
        )
    return first, later


def usable_cores() -> set[int]:
    """By number, those that this process may use; none where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def make_matmuls() -> dict[str, Callable[[], object]]:
    """The same square matmul by either library; each waits for its result."""
    square = jax.random.normal(jax.random.key(0), (MATMUL_SIZE, MATMUL_SIZE))
    tensor, multiply = torch.tensor(jax.device_get(square)), jax.jit(jnp.matmul)
    return {
        "jax": lambda: multiply(square, square).block_until_ready(),
        "torch": lambda: tensor @ tensor,
    }


def _rates(matmuls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """FLOP per second, multiply-add as 2, each the best of 40 over a fifth of a second."""
    return {name: best_rate(run, 2 * MATMUL_SIZE**3, 40) for name, run in matmuls.items()}
