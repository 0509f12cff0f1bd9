"""Rows of attention over T tokens of D numbers, each projection with its bias.

Of N heads of H numbers; S = T keys, whose whole square is computed. Vaswani et al. 2017, section 3.2.2,
https://arxiv.org/abs/1706.03762.
"""

from collections.abc import Mapping

from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row


def self_attention(
    sizes: Mapping[str, int],
    letters: tuple[str, str, str, str, str] = ("T", "S", "N", "H", "D"),
    repeats: str = "",
    prefix: str = "",
) -> list[Row]:
    """From what is read to what the output's projection gives, before any residual."""
    T, S, N, H, D = letters
    square, heads, stream = times("B", N, T, S), times("B", T, N, H), times("B", T, D)
    rows = []
    for name in ("query", "key", "value"):
        rows += [
            matmul(
                f"{prefix}{name}", sizes, times("B", T, D, N, H), D, result=heads, repeats=repeats,
                kernel=times(D, N, H),
            ),
            elementwise(
                f"{prefix}{name} bias", sizes, times(repeats, heads), 1, 1,
                parameters=times(repeats, N, H),
            ),
        ]  # fmt: skip
    product, softmax = times("B", N, T, S, H), times(repeats, square)
    return [
        *rows,
        matmul(
            f"{prefix}scores", sizes, product, H, result=square, repeats=repeats, kept=False
        ),
        elementwise(f"{prefix}scale", sizes, softmax, 1, 1),
        elementwise(f"{prefix}softmax", sizes, softmax, 5, 4, kept=softmax),
        matmul(f"{prefix}mix", sizes, product, S, result=heads, repeats=repeats),
        matmul(
            f"{prefix}attention out", sizes, times("B", T, N, H, D), times(N, H), result=stream,
            repeats=repeats, kernel=times(N, H, D),
        ),
        elementwise(
            f"{prefix}attention out bias", sizes, times(repeats, stream), 1, 1,
            parameters=times(repeats, D),
        ),
    ]  # fmt: skip
