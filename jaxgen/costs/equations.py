"""What each equation of the catalogue costs, from sizes: its id to its cost table.

Forward is one evaluation; backward the gradient by every array that is real-valued. Letters: B the
leading axes, all of them together (examples, or examples and heads); T, S query and key length; H, U
head size of queries and of values; X what a density is over; V vocabulary; D model size; Z noise size
and G1 the hidden width of the generator that `gan.generator` stands for, X its output.

A sigmoid is 1, its gradient 3; a softplus is exp, add, log: 3, its gradient a sigmoid and a product: 2.
"""

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from jaxgen.costs.formula import times
from jaxgen.costs.rows import BOTH, elementwise, matmul, mlp
from jaxgen.costs.table import Row, Table

Sizes = Mapping[str, int]
_Rows = Callable[[Sizes], list[Row]]


def equation_costs(equation_id: str, sizes: Sizes) -> Table:
    """The cost table of one equation of `jaxgen.equations.catalog`.

    Raises:
      KeyError: there is no equation of that id (the nearest is named), or a letter has no size.
    """
    if equation_id not in EQUATION_ROWS:
        near = difflib.get_close_matches(equation_id, EQUATION_ROWS, n=1, cutoff=0.0)[0]
        raise KeyError(f"no costs for an equation {equation_id!r}; the nearest id is {near!r}")
    return Table(equation_id, tuple(EQUATION_ROWS[equation_id](sizes)))


def _single(elements: str, forward: int, backward: int, name: str = "elementwise") -> _Rows:
    """One elementwise row."""
    return lambda sizes: [elementwise(name, sizes, elements, forward, backward)]


def _scores(sizes: Sizes) -> Row:
    """Q Kᵀ, and by its gradient one product for Q and one for K."""
    return _product("scores", sizes, "B·T·S·H", "H", "B·T·S")


def _output(sizes: Sizes) -> Row:
    return _product("output", sizes, "B·T·S·U", "S", "B·T·U")


def _product(name: str, sizes: Sizes, product: str, contracted: str, result: str) -> Row:
    return matmul(name, sizes, product, contracted, result=result, gradients=BOTH)


def _weights(sizes: Sizes) -> list[Row]:
    return [
        elementwise("scale", sizes, "B·T·S", 1, 1),
        # max, subtract, exp, sum, divide; backward: product, sum, subtract, product
        elementwise("softmax", sizes, "B·T·S", 5, 4, kept="B·T·S"),
    ]


def _attention(sizes: Sizes) -> list[Row]:
    return [_scores(sizes), *_weights(sizes), _output(sizes)]


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
