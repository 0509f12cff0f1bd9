"""Rows of a convolution, whose cost depends on how it is computed.

Every number of the result sums over a kernel's K·K pixels and C channels. Of these products some fall on
padding: the native form leaves them out, as XLA counts it, and a matmul over patches computes them all.
Each gradient, by the image and by the kernel, has the products of the forward pass over again.
Dumoulin & Visin 2016, https://arxiv.org/abs/1603.07285.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from jaxgen.costs.formula import times
from jaxgen.costs.rows import BOTH, elementwise, matmul
from jaxgen.costs.table import Row


class Axis(NamedTuple):
    """Along an axis of an image: the places of a kernel, and the pairs (place, pixel under it)."""

    places: int
    pairs: int


def same_axis(size: int, kernel_size: int, stride: int) -> Axis:
    """An axis of `size` pixels with as much padding as gives ⌈size / stride⌉ places."""
    places = -(-size // stride)
    before = max((places - 1) * stride + kernel_size - size, 0) // 2
    starts = range(-before, places * stride - before, stride)
    return Axis(places, sum(min(start + kernel_size, size) - max(start, 0) for start in starts))


def convolution(
    name: str,
    sizes: Mapping[str, int],
    *,
    image: str,
    channels: tuple[str, str],
    places: str,
    kernel: str,
    pairs: str,
    native: bool,
    gradients: Sequence[str] = BOTH,
    data: bool = False,
) -> list[Row]:
    """The convolution of B images, and what the form in which it is computed adds.

    Args:
      image: letters of the image's height and width, 'H0·W0'; places: those of the result, 'H1·W1'.
      channels: of image and result, ('C0', 'C1'). kernel: its height and width, 'K·K'.
      pairs: the pairs of a place and a pixel under it, along height and width, 'U1·V1'.
      native: the platform's own form; else patches and a matmul.
      gradients: 'input' and 'kernel', or fewer. data: the image comes from memory, the batch itself.
    """
    inputs, outputs = channels
    row = matmul(
        name, sizes, times("B", pairs if native else f"{places}·{kernel}", inputs, outputs),
        f"{kernel}·{inputs}", result=times("B", places, outputs),
        kernel=times(kernel, inputs, outputs), gradients=gradients,
        data=times("B", image, inputs) if data else "",
    )  # fmt: skip
    if native:
        return [replace(row, kind="convolution")]
    if "input" not in gradients:
        return [row]
    # K·K parts of the image went into the patches; their gradients are added.
    added = times(f"{kernel} − 1", "B", image, inputs)
    return [row, elementwise(f"{name}: gradients of patches", sizes, added, 0, 1)]
