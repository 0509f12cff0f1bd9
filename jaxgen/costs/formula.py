"""Formulas in the shape letters, `2·B·T·(D + H)`, that evaluate to whole numbers.

A cost is written once, as the formula that a person reads; its value comes from evaluating that text,
so the two cannot differ. The grammar: whole numbers, names, `+`, `−` or `-`, `·`, `//`, brackets
and `min(a, b)`.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def evaluate(formula: str, sizes: Mapping[str, int]) -> int:
    """The formula's value for these sizes.

    Raises:
      KeyError: a letter has no size.
      ValueError: the text is not a formula of the grammar above.
    """
    return _value(_parse(formula), sizes, formula)


def times(*factors: str | int) -> str:
    """The product of the factors as a formula: whole numbers multiplied out, 1s and '' left out."""
    number, letters = 1, []
    for factor in factors:
        if isinstance(factor, int):
            number *= factor
        elif factor:
            letters.append(f"({factor})" if _is_sum(factor) else factor)
    if number == 0 or "0" in letters:
        return "0"
    return "·".join([str(number), *letters] if number != 1 or not letters else letters)


def plus(*terms: str) -> str:
    """The sum of the terms as a formula, zeros left out."""
    return " + ".join(term for term in terms if term not in ("", "0")) or "0"


@cache
def _parse(formula: str) -> ast.expr:
    try:
        # '·' continues a name in Python's eyes, so it has to go before parsing.
        return ast.parse(formula.replace("·", "*").replace("−", "-"), mode="eval").body
    except SyntaxError:
        raise ValueError(f"{formula!r} is not a formula") from None


def _is_sum(formula: str) -> bool:
    tree = _parse(formula)
    return isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)


def _value(node: ast.expr, sizes: Mapping[str, int], formula: str) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=letter):
            return sizes[letter]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, sizes, formula), _value(right, sizes, formula))
        case ast.Call(func=ast.Name(id="min"), args=[left, right], keywords=[]):
            return min(_value(left, sizes, formula), _value(right, sizes, formula))
    raise ValueError(f"{formula!r} is not a formula: {ast.unparse(node)!r} is not allowed")
