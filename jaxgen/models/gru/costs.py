"""What a recurrent language model costs, from tokens to logits and back.

Rows of the matmuls: of the inputs 2·B·T·D·3H, of the states 2·B·T·H·3H, of the head 2·B·T·H·V; backward
twice each, whatever the order of time. Cho et al. 2014, https://arxiv.org/abs/1406.1078.
"""

from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Cost, Row
from jaxgen.models.gru.config import GRUConfig

GATES = ("reset", "update", "candidate")


def gru_rows(config: GRUConfig, *, batch_size: int, seq_len: int, vocab_size: int) -> list[Row]:
    """Forward and backward on batch_size sequences of seq_len tokens, from tokens to logits."""
    sizes = {
        "B": batch_size, "T": seq_len, "D": config.embedding_size, "H": config.hidden_size,
        "V": vocab_size,
    }  # fmt: skip
    vectors, states = times(4, "B·T·D"), "B·T·H"
    rows = [
        Row(
            "embedding", "elementwise", sizes,
            forward=Cost("0", plus("4·min(B·T, V)·D", vectors)),
            backward=Cost("B·T·D", plus("4·V·D", vectors)),
            parameters="V·D", is_table=True, activation_bytes=vectors,
        )
    ]  # fmt: skip
    for what, letter in (("input", "D"), ("state", "H")):
        for gate in GATES:
            rows.append(
                matmul(
                    f"{what} {gate}", sizes, times("B·T", letter, "H"), letter,
                    result=states, kernel=times(letter, "H"),
                )
            )  # fmt: skip
            if what == "input" or gate == "candidate":
                name = f"{what} {gate} bias"
                rows.append(elementwise(name, sizes, states, 1, 1, parameters="H"))
    return [
        *rows,
        # r and z a sum and a sigmoid each; n product, sum, tanh; h' difference, two products, sum.
        # backward: derivatives of z, r and n 3, 3 and 2, and eight products and sums between them
        elementwise("gates", sizes, states, 11, 16, kept=states),
        matmul(
            "head", sizes, "B·T·H·V", "H",
            result="B·T·V", kernel="H·V", hidden=False, on_chip=True,
        ),
        elementwise("head bias", sizes, "B·T·V", 1, 1, parameters="V"),
    ]  # fmt: skip
