"""Builders of rows: a matmul with its gradients, elementwise work, a look-up, the optimiser.

Parameters, gradients and moments are float32, 4 bytes; results have the compute dtype's size.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from jaxgen.costs.formula import plus, times
from jaxgen.costs.table import CONTRACTIONS, Cost, Row

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
      owned: False where another row owns the kernel. gradients: 'input' and 'kernel', or fewer.
      kept: the backward pass reads the result. on_chip: the kept result need not cross the memory.
      data: letters of an input that comes from memory, the batch itself.
      item_bytes: of the compute dtype.
    """
    kernel_bytes = times(FLOAT32_BYTES, repeats, kernel) if kernel else "0"
    data_bytes = times(FLOAT32_BYTES, data) if data else "0"
    kept_bytes = times(item_bytes, repeats, result) if kept else "0"
    moved = "0" if on_chip else kept_bytes
    trained = "kernel" in gradients
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
        tuple(contracted.split("·")),
        forward=Cost(times(2, repeats, product), plus(kernel_bytes, data_bytes, moved)),
        backward=Cost(times(2 * len(gradients), repeats, product), backward),
        parameters=times(repeats, kernel) if kernel and owned else "0",
        activation_bytes=kept_bytes,
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


def adam(
    rows: Sequence[Row],
    config: Any,
    *,
    suffix: str = "",
    name: str = "Adam",
    ema: bool = False,
) -> list[Row]:
    """The optimiser's rows for the parameters of `rows`; all elementwise, 14 FLOPs and 7 arrays each.

    m: 3, v: 4, both corrections 2, root, epsilon and quotient 3, rate and update 2 (Kingma & Ba 2015,
    algorithm 1, https://arxiv.org/abs/1412.6980). Reads gradient, parameter and two moments, writes
    parameter and moments. Letters: P parameters, W those of them that decay.

    Args:
      config: the optimiser's, of which weight_decay and clip_norm decide.
      suffix: of both letters, where a step has several optimisers.
      ema: a moving average of the parameters is kept.
    """
    P, W = f"P{suffix}", f"W{suffix}"
    decaying = [row for row in rows if row.kind in CONTRACTIONS or row.is_table]
    sizes = {
        letter: sum(row.value(row.parameters) for row in counted)
        for letter, counted in ((P, rows), (W, decaying))
    }

    def row(what, flops, arrays=0):
        moved = times(FLOAT32_BYTES * arrays, P)
        return Row(f"{name}: {what}", "elementwise", sizes, update=Cost(flops, moved))

    # The norm is reported and guards the update; fused with it, both move nothing.
    made = [row("gradient norm", times(2, P))]
    if config.clip_norm is not None:  # the norm first, then the scaling: the gradient is read twice
        made.append(row("clip", times(3, P), arrays=1))
    made.append(row("moments and update", times(14, P), arrays=7))
    if config.weight_decay:
        made.append(row("weight decay", times(2, W)))
    if ema:  # two products and a sum; the average is read and written
        made.append(row("moving average", times(3, P), arrays=2))
    arrays = 4 if ema else 3  # parameters, moments, average: new or, where not finite, as they were
    made.append(row("guard", times(arrays, P)))
    return made
