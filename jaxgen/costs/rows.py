"""Builders of rows: a matmul with its gradients, elementwise work, fully connected layers.

Parameters and gradients are float32, 4 bytes; results have the compute dtype's size.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jaxgen.costs.formula import plus, times
from jaxgen.costs.table import Cost, Row

FLOAT32_BYTES = 4
BOTH = ("input", "kernel")


def matmul(
    name: str,
    sizes: Mapping[str, int],
    product: str,
    contracted: str,
    *,
    result: str,
    repeats: str = "",
    kernel: str = "",
    owned: bool = True,
    hidden: bool = True,
    gradients: Sequence[str] = BOTH,
    kept: bool = True,
    on_chip: bool = False,
    data: str = "",
    item_bytes: int = FLOAT32_BYTES,
) -> Row:
    """A matmul, `2·repeats·product` FLOPs, and one more as dear for each operand with a gradient.

    Args:
      product: every letter of the product, e.g. 'B·T·D·F'. contracted: those summed over, 'D'.
      result: letters of what it computes, 'B·T·F'. repeats: how often, e.g. 'L' layers.
      kernel: letters of its parameters, 'D·F'; '' where both operands are activations.
      owned: False where another row owns the kernel. hidden: False for a model's output head.
      gradients: 'input' and 'kernel', or fewer.
      kept: the backward pass reads the result. on_chip: the kept result need not cross the memory.
      data: letters of an input that comes from memory, the batch itself.
      item_bytes: of the compute dtype.
    """
    kernel_bytes = times(FLOAT32_BYTES, repeats, kernel) if kernel else "0"
    data_bytes = times(FLOAT32_BYTES, data) if data else "0"
    kept_bytes = times(item_bytes, repeats, result) if kept else "0"
    moved = "0" if on_chip else kept_bytes
    trained = "kernel" in gradients
    summed = tuple(contracted.split("·"))
    letters = kernel.split("·")
    for letter in summed:  # once each: a kernel H·H has one H of inputs and one of outputs
        if letter in letters:
            letters.remove(letter)
    outputs = times(*letters)
    backward = plus(
        kernel_bytes if "input" in gradients else "0",
        kernel_bytes if trained else "0",  # its gradient, written
        data_bytes if trained else "0",
        moved,
    )
    return Row(
        name,
        "matmul",
        sizes,
        summed,
        forward=Cost(times(2, repeats, product), plus(kernel_bytes, data_bytes, moved)),
        backward=Cost(times(2 * len(gradients), repeats, product), backward),
        parameters=times(repeats, kernel) if kernel and owned else "0",
        activation_bytes=kept_bytes,
        matrices=(repeats, contracted, outputs) if kernel and owned and hidden else None,
    )


def elementwise(
    name: str,
    sizes: Mapping[str, int],
    elements: str,
    forward: int,
    backward: int,
    *,
    parameters: str = "",
    owned: bool = True,
    kept: str = "",
    moved: bool = False,
    item_bytes: int = FLOAT32_BYTES,
) -> Row:
    """`forward` operations on each element, `backward` in its gradient.

    Args:
      parameters: letters of its parameters: read forward, their gradient written backward.
      kept: letters of what it keeps for the backward pass. moved: which then crosses the memory.
    """
    parameter_bytes = times(FLOAT32_BYTES, parameters) if parameters else "0"
    kept_bytes = times(item_bytes, kept) if kept else "0"
    crossing = kept_bytes if moved else "0"
    return Row(
        name,
        "elementwise",
        sizes,
        forward=Cost(times(forward, elements), plus(parameter_bytes, crossing)),
        backward=Cost(
            times(backward, elements), plus(parameter_bytes if backward else "0", crossing)
        ),
        parameters=parameters if parameters and owned else "0",
        activation_bytes=kept_bytes,
    )


def table_of_rows(
    name: str,
    sizes: Mapping[str, int],
    rows: str,
    width: str,
    *,
    trained: bool = True,
    owned: bool = True,
    reads: bool = True,
) -> Row:
    """An embedding: each of B examples takes one of the rows, and adds its gradient to that.

    Args:
      trained: the table has a gradient. owned: False where another row owns the parameters. reads:
        False where another row's pass over the same parameters reads them already.
    """
    read = times(FLOAT32_BYTES, f"min(B, {rows})", width)
    return Row(
        name, "elementwise", sizes,
        forward=Cost("0", read if reads else "0"),
        backward=Cost(times("B", width), times(FLOAT32_BYTES, rows, width)) if trained else Cost("0"),
        parameters=times(rows, width) if owned else "0",
        is_table=True,
    )  # fmt: skip


def mlp(
    name: str,
    sizes: Mapping[str, int],
    widths: Sequence[str],
    *,
    gradients: Sequence[str] = BOTH,
    first_gradients: Sequence[str] | None = None,
    owned: bool = True,
    reads_kernel: bool = True,
    data: bool = False,
) -> list[Row]:
    """Fully connected layers on B examples, relu between them; widths are letters of `sizes`.

    Args:
      gradients: of each layer; first_gradients: of the first, where its input has none.
      owned: False where other rows own the parameters. reads_kernel: False where another row's pass
        over the same parameters reads them already. data: the first input comes from memory.
    """
    rows = []
    last = len(widths) - 1
    kept = bool(gradients)
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        first = layer == 1
        wanted = gradients if first_gradients is None or not first else first_gradients
        trained = "kernel" in wanted
        result = times("B", outputs)
        rows.append(
            matmul(
                f"{name} layer {layer}", sizes, times("B", inputs, outputs), inputs,
                result=result, kernel=times(inputs, outputs) if reads_kernel else "",
                owned=owned, gradients=wanted, kept=kept, on_chip=layer == last,
                data=times("B", inputs) if first and data else "",
            )
        )  # fmt: skip
        rows.append(
            elementwise(
                f"{name} bias {layer}", sizes, result, 1, int(trained),
                parameters=outputs if reads_kernel else "", owned=owned,
            )
        )  # fmt: skip
        if layer < last:
            rows.append(elementwise(f"{name} relu {layer}", sizes, result, 1, int(kept)))
    return rows
