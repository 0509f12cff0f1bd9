"""What each equation of the catalogue costs, from sizes: its id to its cost table.

Forward is one evaluation; backward, in the same program, the gradient by every array that is
real-valued, for a given gradient of the result. Only arguments, results and their gradients cross the
memory, each once: what lies between can stay on the chip, and does in the best implementations.

Letters: B the leading axes, all of them together (examples, or examples and heads); T, S query and key
length; H, U head size of queries and of values; X what a density is over; V vocabulary; D model size; Z
noise size and G1 the hidden width of the generator that `gan.generator` stands for, X its output.

A sigmoid is 1, its gradient 3; a softplus is exp, add, log: 3, its gradient a sigmoid and a product: 2.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from jaxgen.costs.formula import plus, times
from jaxgen.costs.rows import BOTH, FLOAT32_BYTES, elementwise, matmul, mlp
from jaxgen.costs.table import Cost, Row, Table

Sizes = Mapping[str, int]
_Rows = Callable[[Sizes], list[Row]]


def equation_costs(equation_id: str, sizes: Sizes) -> Table:
    """The cost table of one equation of `jaxgen.catalog`.

    Raises:
      KeyError: there is no equation of that id (the nearest is named), or a letter has no size.
    """
    if equation_id not in EQUATION_ROWS:
        near = difflib.get_close_matches(equation_id, EQUATION_ROWS, n=1, cutoff=0.0)[0]
        raise KeyError(f"no costs for an equation {equation_id!r}; the nearest id is {near!r}")
    return _table(equation_id, EQUATION_ROWS[equation_id](sizes), sizes)


def causal_attention_costs(sizes: Sizes) -> Table:
    """`attention.scaled-dot-product` where a query sees no later key: T = S, T·(T + 1)/2 pairs.

    What the mathematics needs. A form that computes the square and masks it does twice as much.
    """
    rows = _attention(sizes, pairs="(T·(T + 1)//2)")
    return _table("attention.scaled-dot-product", rows, sizes)


def _table(equation_id: str, rows: list[Row], sizes: Sizes) -> Table:
    """The rows, none of which moves anything, and one for what moves."""
    inputs, constants, results = EQUATION_ARRAYS[equation_id]
    moved = Row(
        "arguments and results", "elementwise", sizes,
        forward=Cost("0", times(FLOAT32_BYTES, plus(inputs, constants, results))),
        backward=Cost("0", times(FLOAT32_BYTES, plus(inputs, results))),
    )  # fmt: skip
    return Table(equation_id, (*map(_on_chip, rows), moved))


def _on_chip(row: Row) -> Row:
    return replace(
        row, forward=replace(row.forward, bytes="0"), backward=replace(row.backward, bytes="0")
    )


def _single(elements: str, forward: int, backward: int, name: str = "elementwise") -> _Rows:
    """One elementwise row."""
    return lambda sizes: [elementwise(name, sizes, elements, forward, backward)]


def _scores(sizes: Sizes, pairs: str = "T·S") -> Row:
    """Q Kᵀ, and by its gradient one product for Q and one for K."""
    return _product("scores", sizes, times("B", pairs, "H"), "H", times("B", pairs))


def _output(sizes: Sizes, pairs: str = "T·S") -> Row:
    return _product("output", sizes, times("B", pairs, "U"), "S", "B·T·U")


def _product(name: str, sizes: Sizes, product: str, contracted: str, result: str) -> Row:
    return matmul(name, sizes, product, contracted, result=result, gradients=BOTH)


def _weights(sizes: Sizes, pairs: str = "T·S") -> list[Row]:
    weights = times("B", pairs)
    return [
        elementwise("scale", sizes, weights, 1, 1),
        # max, subtract, exp, sum, divide; backward: product, sum, subtract, product
        elementwise("softmax", sizes, weights, 5, 4, kept=weights),
    ]


def _attention(sizes: Sizes, pairs: str = "T·S") -> list[Row]:
    return [_scores(sizes, pairs), *_weights(sizes, pairs), _output(sizes, pairs)]


def _worked_example(sizes: Sizes) -> list[Row]:
    """The example has no batch: one set of queries."""
    return _attention({**sizes, "B": 1})


def _generator(sizes: Sizes) -> list[Row]:
    layers = mlp("generator", sizes, ["Z", "G1", "X"])
    return [*layers, elementwise("sigmoid", sizes, "B·X", 1, 3)]


def _rotary(sizes: Sizes) -> list[Row]:
    turns = times("T", "H//2")
    return [
        elementwise("angle, cosine, sine", sizes, turns, 3, 0),
        # four products and two sums for each pair
        elementwise("turn", sizes, "B·T·H", 3, 3),
    ]


EQUATION_ROWS: Mapping[str, _Rows] = MappingProxyType(
    {
        "attention.scaled-dot-product": _attention,
        "attention.scores": lambda sizes: [_scores(sizes)],
        "attention.weights": _weights,
        "attention.output": lambda sizes: [_output(sizes)],
        "attention.worked-example": _worked_example,
        "gan.generator": _generator,
        "gan.discriminator": _single("B", 1, 3, "sigmoid"),
        # minus log D is the softplus of minus the logit, minus log(1 − D) that of the logit
        "gan.minimax": _single("B", 8, 5),
        "gan.saturating-generator": _single("B", 4, 3),
        "gan.non-saturating-generator": _single("B", 4, 3),
        "gan.discriminator-loss": _single("B", 8, 5),
        "gan.wasserstein-value": _single("B", 2, 3),
        "gan.wasserstein-critic-loss": _single("B", 1, 1),
        "gan.wasserstein-generator-loss": _single("B", 1, 1),
        # four softplus, four weights, three sums, two negations
        "gan.label-smoothing": _single("B", 21, 16),
        # subtract, square, negate, exp, product, + log σ², + log 2π, sum; times −½ is once a row
        "vae.encoder": _single("B·X", 8, 6),
        "vae.decoder": _single("B·X", 8, 6),
        "vae.elbo": _single("B", 1, 0),
        "vae.objective": _single("B", 2, 1),
        # halve, exp, product, sum; backward: by σ² two products and a half, by ε one product
        "vae.reparameterisation": _single("B·X", 4, 4),
        # square, expm1, sum, subtract, sum over X
        "vae.gaussian-kl": _single("B·X", 5, 5),
        # max, subtract, exp, sum; backward: a softmax times the gradient
        "lm.cross-entropy": _single("B·T·V", 4, 2),
        # mean, subtract, square, mean, divide, scale, bias
        "transformer.layer-norm": _single("B·D", 7, 11),
        # square, mean, divide, and scale where there is one (counted)
        "transformer.rms-norm": _single("B·D", 4, 7),
        "transformer.rotary": _rotary,
        # halve, scale, erfc, two products; backward: exp(−x²/2) x, Φ, their sum
        "transformer.gelu": _single("B", 5, 8),
        "transformer.squared-relu": _single("B", 2, 3),
    }
)
"""By catalogue id."""


_QUERY_KEY_VALUE = "B·T·H + B·S·H + B·S·U"
_ONE, _TWO = ("B", "0", "B"), ("2·B", "0", "B")  # so many numbers of each example, one result
_DENSITY = ("3·B·X", "0", "B")

# (arguments that have a gradient, those that have none, results), in elements.
EQUATION_ARRAYS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "attention.scaled-dot-product": (_QUERY_KEY_VALUE, "0", "B·T·U"),
        "attention.scores": ("B·T·H + B·S·H", "0", "B·T·S"),
        "attention.weights": ("B·T·S", "0", "B·T·S"),
        "attention.output": ("B·T·S + B·S·U", "0", "B·T·U"),
        "attention.worked-example": ("T·H + S·H + S·U", "0", "2·T·S + T·U"),
        "gan.generator": ("B·Z + Z·G1 + G1 + G1·X + X", "0", "B·X"),
        "gan.discriminator": _ONE,
        "gan.minimax": _TWO,
        "gan.saturating-generator": _ONE,
        "gan.non-saturating-generator": _ONE,
        "gan.discriminator-loss": _TWO,
        "gan.wasserstein-value": ("2·B + 1", "0", "B"),  # 1: the Lipschitz constant
        "gan.wasserstein-critic-loss": _TWO,
        "gan.wasserstein-generator-loss": _ONE,
        "gan.label-smoothing": _TWO,
        "vae.encoder": _DENSITY,
        "vae.decoder": _DENSITY,
        "vae.elbo": _TWO,
        "vae.objective": _TWO,
        "vae.reparameterisation": ("3·B·X", "0", "B·X"),
        "vae.gaussian-kl": ("2·B·X", "0", "B"),
        "lm.cross-entropy": ("B·T·V", "B·T", "B"),
        "transformer.layer-norm": ("B·D + 2·D", "0", "B·D"),
        "transformer.rms-norm": ("B·D + D", "0", "B·D"),
        "transformer.rotary": ("B·T·H", "T", "B·T·H"),
        "transformer.gelu": _ONE,
        "transformer.squared-relu": _ONE,
    }
)
"""By catalogue id: everything that has to cross the memory."""
