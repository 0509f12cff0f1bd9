"""What this device can do at best: measured in this process, or published where it is known.

- **Compute**: the best rate of a matmul over a few shapes, for each dtype, multiply-add as 2 FLOPs.
- **Memory**: the best rate of `x + 1` in place, which reads and writes each byte once, for arrays of a
  few sizes. What fits a cache moves faster than what does not, so the rate for a piece of work is the
  best among arrays no smaller than all that it touches.

Ceilings are the best of all repetitions, not medians: nothing may beat them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measure.timing import measure
from jaxgen.costs.hardware import Accelerator, find_accelerator

MEBI = 2**20
SHAPES = ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 1024, 1024), (1024, 4096, 1024))
SHORT_SHAPES = ((512, 512, 512), (1024, 1024, 1024))
STREAM_BYTES = (MEBI, 4 * MEBI, 16 * MEBI, 64 * MEBI, 256 * MEBI)
SHORT_STREAM_BYTES = (MEBI, 16 * MEBI)


@dataclass(frozen=True)
class Ceilings:
    """Rates that no step can beat, and where they come from."""

    device_kind: str
    source: str
    flops_per_second: Mapping[str, float]
    """By dtype."""
    bytes_per_second: Mapping[int, float]
    """By the array's bytes; the key 0 alone where one published rate holds for all."""

    def memory_rate(self, touched_bytes: float) -> float:
        """Bytes per second for work that touches so many."""
        as_large = [rate for size, rate in self.bytes_per_second.items() if size >= touched_bytes]
        return max(as_large) if as_large else self.bytes_per_second[max(self.bytes_per_second)]

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def find_ceilings(*, short: bool = False) -> Ceilings:
    """The published peaks of this process's device where they are known, else measured ones."""
    kind = jax.devices()[0].device_kind
    accelerator = find_accelerator(kind)
    if accelerator is not None:
        return published(accelerator, kind)
    repetitions = 5 if short else 15
    shapes, sizes = (SHORT_SHAPES, SHORT_STREAM_BYTES) if short else (SHAPES, STREAM_BYTES)
    flops = {dtype: gemm_rate(dtype, shapes, repetitions) for dtype in ("float32", "bfloat16")}
    stream = {size: stream_rate(size, repetitions) for size in sizes}
    source = f"measured in this process: no published peak is known for {kind!r}"
    return Ceilings(kind, source, flops, stream)


def published(accelerator: Accelerator, kind: str) -> Ceilings:
    """Published peaks as ceilings; float32 matmuls run on the matrix units unless asked otherwise."""
    bfloat16 = accelerator.bfloat16_flops_per_second
    rates = {
        "bfloat16": bfloat16,
        "float32": accelerator.tensorfloat32_flops_per_second or bfloat16,
    }
    source = f"published: {accelerator.name}, {accelerator.source}"
    return Ceilings(kind, source, rates, {0: accelerator.memory_bytes_per_second})


def best_of(one: Ceilings, other: Ceilings) -> Ceilings:
    """The higher of two measurements of the same device: one may have been disturbed."""

    def highest(a: Mapping, b: Mapping) -> dict:
        return {key: max(a[key], b[key]) for key in a}

    return Ceilings(
        one.device_kind, one.source,
        highest(one.flops_per_second, other.flops_per_second),
        highest(one.bytes_per_second, other.bytes_per_second),
    )  # fmt: skip


def gemm_rate(dtype: str, shapes: tuple[tuple[int, int, int], ...], repetitions: int) -> float:
    """FLOP per second of the fastest matmul (m, k) by (k, n)."""
    matmul = jax.jit(jnp.matmul)
    rates = []
    for m, k, n in shapes:
        left = jax.random.normal(jax.random.key(0), (m, k), dtype)
        right = jax.random.normal(jax.random.key(1), (k, n), dtype)
        call = _bound(matmul, left, right)
        rates.append(2 * m * k * n / measure(call, repetitions).best_seconds)
    return max(rates)


def stream_rate(size: int, repetitions: int) -> float:
    """Bytes per second, read and written, of adding 1 to an array of so many bytes in place."""
    add = jax.jit(lambda x: x + 1, donate_argnums=0)
    array = jnp.zeros(size // 4, jnp.float32)

    def call():
        nonlocal array
        array = add(array)
        return array

    return 2 * size / measure(call, repetitions).best_seconds


def _bound(function: Callable, *arguments: Any) -> Callable:
    return lambda: function(*arguments)
