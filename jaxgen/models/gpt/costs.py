"""What a GPT costs, from tokens to logits and back.

Rows of the matmuls, per layer (T queries, S = T keys, attention over the full square):

    query, key, value   2·B·T·D·N·H each       scores, mix   2·B·N·T·S·H each
    out                 2·B·T·N·H·D            mlp in, out   2·B·T·D·F each
    head                2·B·T·D·V, once

Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Radford et al. 2019 (GPT-2).
"""

from collections.abc import Mapping
from dataclasses import replace

from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import FLOAT32_BYTES, elementwise, matmul
from jaxgen.costs.table import Cost, Row
from jaxgen.models.gpt.config import GPTConfig


def gpt_rows(config: GPTConfig, *, batch_size: int, seq_len: int, vocab_size: int) -> list[Row]:
    """Forward and backward on batch_size sequences of seq_len tokens, from tokens to logits."""
    sizes = {
        "B": batch_size, "T": seq_len, "S": seq_len, "L": config.num_layers,
        "N": config.num_heads, "H": config.head_size,
        "D": config.model_size, "F": config.hidden_size, "V": vocab_size,
        "M": config.max_seq_len,
    }  # fmt: skip
    blocks = [*_attention(config, sizes), *_feed_forward(config, sizes)]
    if config.remat:
        blocks = _recomputed(blocks)
    return [*_embedding(config, sizes), *blocks, *_head(config, sizes)]


def _item_bytes(config: GPTConfig) -> int:
    return {"float32": 4, "bfloat16": 2}[config.compute_dtype]


def _embedding(config: GPTConfig, sizes: Mapping[str, int]) -> list[Row]:
    item = _item_bytes(config)
    # Of the tables only the rows in use are read. A tied one has one gradient, which the head writes.
    read, written = "4·min(B·T, V)·D", "0" if config.tied_head else "4·V·D"
    kept = times(item, "B·T·D")
    rows = [
        Row(
            "embedding", "elementwise", sizes,
            forward=Cost("0", plus(read, kept)),
            backward=Cost("B·T·D", plus(written, kept)),
            parameters="V·D", is_table=True, activation_bytes=kept,
        )
    ]  # fmt: skip
    if config.positions == "learned":
        forward, backward = Cost("B·T·D", "4·T·D"), Cost("B·T·D", "4·M·D")
        rows.append(
            Row(
                "positions", "elementwise", sizes,
                forward=forward, backward=backward, parameters="M·D", is_table=True,
            )
        )  # fmt: skip
    if config.dropout:
        rows.append(_dropout("embedding dropout", sizes, "B·T·D", item))
    return rows


def _attention(config: GPTConfig, sizes: Mapping[str, int]) -> list[Row]:
    item, heads, square = _item_bytes(config), "B·T·N·H", "B·N·T·S"
    rows = [_norm("norm 1", config, sizes, "L·B·T·D", "L")]
    for name in ("query", "key", "value"):
        rows.append(
            matmul(
                name, sizes, "B·T·D·N·H", "D",
                result=heads, repeats="L", kernel="D·N·H", item_bytes=item,
            )
        )  # fmt: skip
        if config.use_bias:
            bias = elementwise(f"{name} bias", sizes, times("L", heads), 1, 1, parameters="L·N·H")
            rows.append(bias)
    if config.query_key_norm:
        rows.append(elementwise("query, key norm", sizes, times(2, "L", heads), *_RMS))
    if config.positions == "rotary":
        # angle, cosine and sine for each of T·H/2 turns, for queries and for keys
        rows.append(elementwise("rotary angles", sizes, "L·T·H", 3, 0))
        rows.append(elementwise("rotary turn", sizes, times(2, "L", heads), 3, 3))
    attended = times("L", square)
    rows += [
        matmul("scores", sizes, "B·N·T·S·H", "H", result=square, repeats="L", kept=False),
        elementwise("scale and mask", sizes, attended, 2, 2),
        # max, subtract, exp, sum, divide; backward: product, sum, subtract, product
        elementwise("softmax", sizes, attended, 5, 4, kept=attended),
        *([_dropout("weights dropout", sizes, attended, 1)] if config.weights_dropout else []),
        matmul("mix", sizes, "B·N·T·S·H", "S", result=heads, repeats="L", item_bytes=item),
        *_projection("attention out", config, sizes, "B·T·N·H·D", "N·H", "D", "N·H·D"),
        *_residual("attention", config, sizes),
    ]
    return rows


def _feed_forward(config: GPTConfig, sizes: Mapping[str, int]) -> list[Row]:
    hidden, item = "L·B·T·F", _item_bytes(config)
    # gelu: x³ by 3 products, +, scale, sigmoid, product; squared relu: max, square
    operations = (7, 10) if config.activation == "gelu" else (2, 3)
    return [
        _norm("norm 2", config, sizes, "L·B·T·D", "L"),
        *_projection("mlp in", config, sizes, "B·T·D·F", "D", "F", "D·F"),
        elementwise(config.activation, sizes, hidden, *operations, kept=hidden, item_bytes=item),
        *_projection("mlp out", config, sizes, "B·T·D·F", "F", "D", "F·D"),
        *_residual("mlp", config, sizes),
    ]


def _head(config: GPTConfig, sizes: Mapping[str, int]) -> list[Row]:
    return [
        _norm("norm", config, sizes, "B·T·D", ""),
        matmul(
            "head", sizes, "B·T·D·V", "D",
            result="B·T·V", kernel="D·V", owned=not config.tied_head, hidden=False, on_chip=True,
        ),
    ]  # fmt: skip


def _recomputed(rows: list[Row]) -> list[Row]:
    """The rows of the blocks with their forward pass run again in the backward pass.

    All but what only leads to a block's output, which nothing in the backward pass reads. The output
    itself is the next block's input and is kept. Any other result is made and read within one phase,
    so that it need not cross the memory.
    """
    output = "mlp out"
    unread = (output, "mlp out bias", "mlp dropout", "mlp residual")

    def again(row: Row) -> Row:
        if row.name == output:
            return row
        forward, backward = row.forward, row.backward
        if row.kind == "matmul":  # its kernel is read in both phases, and the gradient written
            forward = replace(forward, bytes=times(FLOAT32_BYTES, row.parameters))
            backward = replace(backward, bytes=times(2 * FLOAT32_BYTES, row.parameters))
        if row.name not in unread:
            backward = replace(backward, flops=plus(backward.flops, forward.flops))
        return replace(row, forward=forward, backward=backward, activation_bytes="0")

    return [again(row) for row in rows]


def _projection(
    name: str,
    config: GPTConfig,
    sizes: Mapping[str, int],
    product: str,
    contracted: str,
    output: str,
    kernel: str,
) -> list[Row]:
    """A projection of every token in every layer, with its bias where there is one."""
    item, result = _item_bytes(config), times("B·T", output)
    rows = [
        matmul(
            name, sizes, product, contracted,
            result=result, repeats="L", kernel=kernel, item_bytes=item,
        )
    ]  # fmt: skip
    if config.use_bias:
        bias = times("L", output)
        rows.append(elementwise(f"{name} bias", sizes, times("L", result), 1, 1, parameters=bias))
    return rows


_LAYER_NORM = (7, 11)  # mean, subtract, square, mean, divide, scale, bias
_RMS = (3, 5)  # square, mean, divide


def _norm(
    name: str, config: GPTConfig, sizes: Mapping[str, int], elements: str, repeats: str
) -> Row:
    item = _item_bytes(config)
    if config.norm == "rms":
        return elementwise(name, sizes, elements, *_RMS, kept=elements, item_bytes=item)
    return elementwise(
        name, sizes, elements, *_LAYER_NORM,
        parameters=times(2, repeats, "D"), kept=elements, item_bytes=item,
    )  # fmt: skip


def _residual(name: str, config: GPTConfig, sizes: Mapping[str, int]) -> list[Row]:
    rows = []
    if config.dropout:
        rows.append(_dropout(f"{name} dropout", sizes, "L·B·T·D", _item_bytes(config)))
    return [*rows, elementwise(f"{name} residual", sizes, "L·B·T·D", 1, 1)]


def _dropout(name: str, sizes: Mapping[str, int], elements: str, item: int) -> Row:
    """Scale by 1/(1 − rate) and select; the mask is kept, a byte an element."""
    return elementwise(name, sizes, elements, 2, 2, kept=elements, item_bytes=1)
