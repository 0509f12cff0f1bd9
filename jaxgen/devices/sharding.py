"""Which axis of which array is split over which axis of the mesh: sizes and names, no devices."""

import math
import re
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import PartitionSpec

from jaxgen.errors import UserError

AXES = ("data", "fsdp", "model")
"""Of a mesh: the batch is split over the first two, parameters over the last two."""


def parse_mesh(text: str) -> dict[str, int]:
    """'data=2,fsdp=2,model=2' as a dict with all three axes, 1 where none is given."""
    sizes = dict.fromkeys(AXES, 1)
    for part in text.split(","):
        found = re.fullmatch(r"(\w+)=([1-9]\d*)", part.strip())
        if not found or found[1] not in AXES:
            raise UserError(
                f"--mesh {text}: {part!r} is no axis with its size; write for example data=4,model=2 "
                f"(axes: {', '.join(AXES)})."
            )
        sizes[found[1]] = int(found[2])
    return sizes


def check_batch(batch_size: int, shards: int, accumulate: int) -> None:
    """Raise a UserError where a batch cannot be cut evenly."""
    if batch_size % (shards * accumulate):
        pieces = f" times --accumulate {accumulate}" if accumulate > 1 else ""
        raise UserError(
            f"--batch-size {batch_size} is not a multiple of {shards} devices{pieces}: give a "
            f"multiple of {shards * accumulate}, or other --mesh sizes."
        )


def specs(tree: Any, sizes: Mapping[str, int], model_axes: Mapping[str, int]) -> Any:
    """A PartitionSpec for each leaf.

    model_axes maps a pattern of a leaf's path, e.g. 'mlp/in/kernel', to the axis that is split over
    `model`. Over `fsdp` goes the longest other axis that it divides; a leaf without one stays whole.
    Moments and averages have their parameter's path as the end of theirs, hence its rule.
    """

    def spec(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        names: list[str | None] = [None] * len(leaf.shape)
        if sizes["model"] > 1:
            for pattern, axis in model_axes.items():
                if re.search(pattern, name):
                    _check_axis(name, leaf.shape, axis, sizes["model"])
                    names[axis] = "model"
        free = [
            axis
            for axis, size in enumerate(leaf.shape)
            if names[axis] is None and size % sizes["fsdp"] == 0
        ]
        if sizes["fsdp"] > 1 and free:
            names[max(free, key=lambda axis: leaf.shape[axis])] = "fsdp"
        return PartitionSpec(*names)

    return jax.tree_util.tree_map_with_path(spec, tree)


def _check_axis(name: str, shape: tuple[int, ...], axis: int, size: int) -> None:
    if shape[axis] % size:
        raise UserError(
            f"--mesh model={size} does not divide axis {axis} of {name}, {shape}: choose a number of "
            f"heads and a hidden size that are multiples of {size}, or another mesh."
        )


def count_split(tree: Any) -> dict[str, int]:
    """How many leaves of a tree of specs are split over each axis."""
    leaves = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, PartitionSpec))
    return {axis: sum(axis in leaf for leaf in leaves) for axis in AXES}


def num_devices(sizes: Mapping[str, int]) -> int:
    """That a mesh of these sizes has."""
    return math.prod(sizes.values())
