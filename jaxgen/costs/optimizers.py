"""What an optimiser's update costs: FLOPs, bytes, and what it keeps from step to step.

AdamW (Kingma & Ba 2015, algorithm 1, https://arxiv.org/abs/1412.6980): 14 FLOPs and 7 arrays a number.
m is 3, v is 4, both corrections 2, root, epsilon and quotient 3, rate and update 2. It reads gradient,
parameter and two moments, writes parameter and moments.

SGD: a product and a sum for the momentum, rate and update: 4 FLOPs and 5 arrays; without momentum 2
and 3.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): Adam for all but the hidden
matrices. Of these, one with r rows and c columns, r the fewer, is multiplied in each of five iterations
by its transpose; the square of that is taken; and the sum of both is multiplied by the matrix again:

    2·r²·c + 2·r³ + 2·r²·c FLOPs of matmuls, 3·r² + 2·r·c elementwise

No product can begin before the last is whole, so each crosses the memory: the matrix is read twice and
written, but by the last iteration, whose result goes into the update; r² numbers are written and read
twice. Beside that 10 FLOPs a number (momentum 2, look-ahead 2, norm 2 and division, scale, rate and
update 2) and 6 arrays: reads gradient, momentum and parameter, writes momentum, look-ahead, parameter.

Letters: P parameters, W those of them that decay, Q those in hidden matrices, A the r² of all of these.
Parameters, gradients and moments are float32, 4 bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import FLOAT32_BYTES
from jaxgen.costs.table import CONTRACTIONS, Cost, Row

ITERATIONS = 5
LABELS = {"adamw": "Adam", "muon": "Muon", "sgd": "SGD"}


def optimizer_rows(
    rows: Sequence[Row], config: Any, *, suffix: str = "", name: str = "", ema: bool = False
) -> list[Row]:
    """The optimiser's rows for the parameters of `rows`.

    Args:
      config: the optimiser's, of which name, momentum, weight_decay and clip_norm decide.
      suffix: of the letters, where a step has several optimisers. name: what the rows' names begin with.
      ema: a moving average of the parameters is kept.
    """
    label = f"{name}: {LABELS[config.name]}" if name else LABELS[config.name]
    P, W, Q, A = (f"{letter}{suffix}" for letter in "PWQA")
    decaying = [row for row in rows if row.kind in CONTRACTIONS or row.is_table]
    sizes = {P: _parameters(rows), W: _parameters(decaying)}
    if config.name == "muon":
        sizes |= _matrix_sizes(rows, Q, A)

    def row(what: str, flops: str, moved: str = "0", kept: str = "0") -> Row:
        return _elementwise(f"{label}: {what}", sizes, flops, moved, kept)

    # The norm is reported and guards the update; fused with it, both move nothing.
    made = [row("gradient norm", times(2, P))]
    if config.clip_norm is not None:  # the norm first, then the scaling: the gradient is read twice
        made.append(row("clip", times(3, P), moved=P))
    match config.name:
        case "adamw":
            state = times(2, P)
            made.append(row("moments and update", times(14, P), times(7, P), state))
        case "sgd" if config.momentum:
            state = P
            made.append(row("momentum and update", times(4, P), times(5, P), state))
        case "sgd":
            state = "0"
            made.append(row("update", times(2, P), times(3, P)))
        case _:  # muon
            rest, state = f"({P} - {Q})", f"(2·{P} - {Q})"
            matrices = plus(times(20, Q), times(15, A))
            made += [
                row("momentum and update", matrices, times(6, Q), Q),
                *(_newton_schulz(each, each.matrices, label) for each in rows if each.matrices),
                row("Adam of the rest", times(14, rest), times(7, rest), times(2, rest)),
            ]
    if config.weight_decay:
        made.append(row("weight decay", times(2, W)))
    if ema:  # two products and a sum; the average is read and written
        made.append(row("moving average", times(3, P), moved=times(2, P)))
    # Parameters, moments, average: new or, where not finite, as they were.
    made.append(row("guard", plus(times(2 if ema else 1, P), state)))
    return made


def _elementwise(name: str, sizes: Mapping[str, int], flops: str, moved: str, kept: str) -> Row:
    """An update of so many FLOPs; moved and kept are counts of numbers."""
    return Row(
        name, "elementwise", sizes,
        update=Cost(flops, times(FLOAT32_BYTES, moved)), state_bytes=times(FLOAT32_BYTES, kept),
    )  # fmt: skip


def _newton_schulz(owner: Row, matrices: tuple[str, str, str], label: str) -> Row:
    """The products of all iterations on the hidden matrices of one row."""
    count, inputs, outputs = matrices
    r, both = f"min({inputs}, {outputs})", times(inputs, outputs)
    flops = times(ITERATIONS, count, plus(times(4, r, both), times(2, r, r, r)))
    passes = plus(times(3 * ITERATIONS - 1, both), times(4 * ITERATIONS, r, r))
    moved = times(FLOAT32_BYTES, count, passes)
    name = f"{label}: orthogonalise {owner.name}"
    return Row(name, "matmul", owner.sizes, update=Cost(flops, moved))


def _matrix_sizes(rows: Sequence[Row], Q: str, A: str) -> dict[str, int]:
    """Numbers in the hidden matrices, and the squares of their shorter sides."""
    found = {Q: 0, A: 0}
    for row in rows:
        if row.matrices:
            count, inputs, outputs = row.matrices
            shorter = f"min({inputs}, {outputs})"
            found[Q] += row.value(times(count, inputs, outputs))
            found[A] += row.value(times(count, shorter, shorter))
    return found


def _parameters(rows: Sequence[Row]) -> int:
    return sum(row.value(row.parameters) for row in rows)
