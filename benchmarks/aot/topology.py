"""Chips that are not there: topologies for which the real compilers compile on any machine.

Slices of TPUs here, GPUs of one host in `cuda.py`. `libtpu` is the TPU compiler; `pip install
'jaxgen[tpu-aot]'` brings the version that fits jax. No TPU is needed:
https://docs.jax.dev/en/latest/aot.html, `jax.experimental.topologies`.
"""

import importlib.util
import math
import os
from dataclasses import dataclass
from typing import Any

from benchmarks.aot import cuda
from jaxgen.errors import UserError

# Slices that Google Cloud documents, https://cloud.google.com/tpu/docs/v4 and .../v5e, v5p, v6e.
_FLAT = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8")
SLICES = {"v4": _CUBES, "v5e": _FLAT, "v5p": _CUBES, "v6e": _FLAT}
SLICES |= dict.fromkeys(cuda.KINDS, cuda.SIZES)

# Cycles per second of a core. v4: Jouppi et al. 2023, table 4, https://arxiv.org/abs/2304.01433. The
# others follow from the published peak and the matrix units, to the nearest 10 MHz: v5e
# 197e12 / (4 · 2 · 128²), v5p 459e12 / (8 · 2 · 128²). Of v6e two units of 256² are published, which
# would have to run at 3.5 GHz; the compiler counts four to a cycle, so its cycles are those of 1.75 GHz.
# A test compares all with the compiler's own estimate for a large matmul.
CYCLES_PER_SECOND = {"v4": 1.05e9, "v5e": 1.5e9, "v5p": 1.75e9, "v6e": 1.75e9}


@dataclass(frozen=True)
class Topology:
    """A slice by its name, e.g. v5e:4x4, and its devices as jax sees them."""

    name: str
    devices: tuple[Any, ...]

    @property
    def cycles_per_second(self) -> float | None:
        """Of one core; None for a GPU, whose compiler counts no cycles."""
        return CYCLES_PER_SECOND.get(self.name.split(":")[0])

    @property
    def share_of_links(self) -> float:
        """The part of a chip's links that lead anywhere, of the chip that has fewest: a corner.

        A chip has two along each axis of its torus, and a corner uses one of them unless the axis is
        closed to a ring: those of 16 chips of v5e and v6e, those of v4 and v5p in slices of whole cubes
        of 4x4x4. https://jax-ml.github.io/scaling-book/tpus, "TPU networking". A GPU's all lead to the
        switch.
        """
        sides = _sides(self.name)
        if len(sides) == 1:
            return 1.0
        if len(sides) == 2:
            rings = [side == 16 for side in sides]
        else:
            rings = [all(side % 4 == 0 for side in sides)] * 3
        used = [
            (2 if ring else 1) if side > 1 else 0 for side, ring in zip(sides, rings, strict=True)
        ]
        return sum(used) / (2 * len(sides))


def check_topology(name: str) -> None:
    """Raise a UserError that lists the known topologies unless `name` is one of them."""
    generation, _, size = name.partition(":")
    if size not in SLICES.get(generation, ()):
        known = "; ".join(f"{key}:{{{','.join(sizes)}}}" for key, sizes in SLICES.items())
        raise UserError(f"There is no topology {name!r}; known are {known}.")


def num_chips(name: str) -> int:
    """The chips of a topology, from its name."""
    return math.prod(_sides(name))


def _sides(name: str) -> list[int]:
    return [int(side) for side in name.partition(":")[2].split("x")]


def require_libtpu() -> None:
    """Raise a UserError that names the extra where libtpu is not installed."""
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            "Compiling for a TPU needs libtpu: install the extra by pip install 'jaxgen[tpu-aot]'."
        )


def find_topology(name: str) -> Topology:
    """The topology of that name; a UserError says what is wrong with it."""
    check_topology(name)
    if name.split(":")[0] in cuda.KINDS:
        return Topology(name, cuda.find_gpus(name))
    require_libtpu()
    # Several processes may compile at once, and none should look for a TPU in the network.
    for variable, value in (
        ("ALLOW_MULTIPLE_LIBTPU_LOAD", "1"), ("TPU_SKIP_MDS_QUERY", "1"),
        ("TPU_WORKER_HOSTNAMES", "localhost"), ("TPU_ACCELERATOR_TYPE", "v5litepod-4"),
        ("TPU_MIN_LOG_LEVEL", "3"), ("TPU_STDERR_LOG_LEVEL", "3"),
    ):  # fmt: skip
        os.environ.setdefault(variable, value)
    from jax.experimental import topologies

    options: dict[str, Any] = {}
    if num_chips(name) == 1:
        options["chips_per_host_bounds"] = (1, 1, 1)
    if name.startswith("v4:"):
        options["chip_config_name"] = "megacore"  # both cores of a chip as one device
    description = topologies.get_topology_desc(platform="tpu", topology_name=name, **options)
    return Topology(name, tuple(description.devices))
