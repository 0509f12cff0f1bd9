"""The catalogue's entries on attention: 003, 4.1."""

from dataclasses import replace

from jaxtyping import Array, Float

from jaxgen.catalog.costs import Sizes
from jaxgen.catalog.record import Equation, Example
from jaxgen.costs.formula import times
from jaxgen.costs.rows import BOTH, elementwise, matmul
from jaxgen.costs.table import Row, Table
from jaxgen.equations import attention

_VASWANI = "Vaswani et al. 2017, Attention is all you need, eq. (1)"
_VASWANI_LINK = "https://arxiv.org/abs/1706.03762"

# Two queries, three keys, d_k = 4, so that 1/√d_k = 1/2 is easy to see.
_QUERY = ((1.0, 0.0, 2.0, 1.0), (0.0, 1.0, -1.0, 3.0))
_KEY = ((1.0, 1.0, 0.0, 1.0), (0.0, 2.0, 1.0, 0.0), (2.0, 0.0, 1.0, 0.5))
_VALUE = ((1.0, 0.0), (0.0, 1.0), (2.0, 2.0))
_SCORES = ((2.0, 2.0, 4.5), (4.0, 1.0, 0.5))  # Q Kᵀ of the two above
_COLUMNS = {
    "query": ((1.0,), (2.0,), (3.0,)),
    "key": ((4.0,), (5.0,), (6.0,)),
    "value": ((7.0,), (8.0,), (9.0,)),
}
_SIZES = {"B": 16, "T": 512, "S": 512, "H": 64, "U": 64}


def _scores_row(sizes: Sizes, pairs: str = "T·S") -> Row:
    """Q Kᵀ, and by its gradient one product for Q and one for K."""
    return _product("scores", sizes, times("B", pairs, "H"), "H", times("B", pairs))


def _output_row(sizes: Sizes, pairs: str = "T·S") -> Row:
    return _product("output", sizes, times("B", pairs, "U"), "S", "B·T·U")


def _product(name: str, sizes: Sizes, product: str, contracted: str, result: str) -> Row:
    return matmul(name, sizes, product, contracted, result=result, gradients=BOTH)


def _weights_rows(sizes: Sizes, pairs: str = "T·S") -> list[Row]:
    weights = times("B", pairs)
    return [
        elementwise("scale", sizes, weights, 1, 1),
        # max, subtract, exp, sum, divide; backward: product, sum, subtract, product
        elementwise("softmax", sizes, weights, 5, 4, kept=weights),
    ]


def _attention_rows(sizes: Sizes, pairs: str = "T·S") -> list[Row]:
    return [_scores_row(sizes, pairs), *_weights_rows(sizes, pairs), _output_row(sizes, pairs)]


def _weights_of_64(scores: Float[Array, "*B T S"]) -> Float[Array, "*B T S"]:
    """Of queries 64 long; the length is a number, and no cost depends on it."""
    return attention.weights(scores, 64)


ENTRIES = (
    Equation(
        id="attention.scaled-dot-product",
        document="003, 4.1",
        title="attention in one line",
        printed=r"\text{Attention}(Q, K, V) = \frac{1}{\sqrt{d_k}}"
        r" \text{softmax}\left(\frac{QK^T}{d_k}\right) V",
        corrected=r"\text{Attention}(Q, K, V) ="
        r" \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right) V",
        verdict="scale",
        explanation="The root of d_k belongs inside the softmax, once. As printed the scores are"
        " divided by d_k, which flattens the weights towards a plain average as heads grow, and"
        " the output is divided by the root again, so that each row of weights sums to 1/√d_k.",
        paper=_VASWANI,
        link=_VASWANI_LINK,
        function=attention.scaled_dot_product_attention,
        printed_function=attention.printed_scaled_dot_product_attention,
        example=Example({"query": _QUERY, "key": _KEY, "value": _VALUE}, ("query",)),
        rows=_attention_rows,
        sizes=_SIZES,
    ),
    Equation(
        id="attention.scores",
        document="003, 4.1, step 1",
        title="every query against every key",
        printed=r"\text{Scores} = QK^T",
        corrected=r"\text{Scores} = QK^T",
        verdict="right",
        explanation="One dot product for each pair of a query and a key, not yet scaled.",
        paper=_VASWANI,
        link=_VASWANI_LINK,
        function=attention.scores,
        example=Example({"query": _QUERY, "key": _KEY}, ("query",)),
        rows=lambda sizes: [_scores_row(sizes)],
        sizes=_SIZES,
    ),
    Equation(
        id="attention.weights",
        document="003, 4.1, step 2",
        title="scores into weights",
        printed=r"\text{Attention} = \text{softmax}(\text{Scores})",
        corrected=r"\text{Weights} = \text{softmax}\left(\frac{\text{Scores}}{\sqrt{d_k}}\right)",
        verdict="scale",
        explanation="Right only for d_k = 1, the case of the worked example. A dot product of d_k"
        " independent terms of unit variance has standard deviation √d_k; unscaled, the softmax"
        " of a wide head puts nearly all weight on one key and passes hardly any gradient.",
        paper="Vaswani et al. 2017, Attention is all you need, eq. (1) and section 3.2.1",
        link=_VASWANI_LINK,
        function=attention.weights,
        printed_function=attention.printed_weights,
        example=Example({"scores": _SCORES, "head_size": 4}, ("scores",), "first entry"),
        printed_example=Example({"scores": _SCORES}, ("scores",), "first entry"),
        rows=_weights_rows,
        on_arrays=_weights_of_64,
        sizes=_SIZES,
    ),
    Equation(
        id="attention.output",
        document="003, 4.1, step 3",
        title="weights into an average of values",
        printed=r"\text{Output} = \text{Attention}V",
        corrected=r"\text{Output} = \text{Weights}\,V",
        verdict="right",
        explanation="Each query receives the average of the values under its own weights.",
        paper=_VASWANI,
        link=_VASWANI_LINK,
        function=attention.output,
        example=Example(
            {"weights": ((0.25, 0.25, 0.5), (0.0, 1.0, 0.0)), "value": _VALUE}, ("weights",)
        ),
        rows=lambda sizes: [_output_row(sizes)],
        sizes=_SIZES,
    ),
    Equation(
        id="attention.worked-example",
        document="003, 4.1, example",
        title="the three steps on numbers",
        printed=r"\text{softmax}\begin{bmatrix}4&5&6\\8&10&12\\12&15&18\end{bmatrix}"
        r" = \begin{bmatrix}\frac13&\frac13&\frac13\\\frac13&\frac13&\frac13\\"
        r"\frac13&\frac13&\frac13\end{bmatrix},\quad \text{Output} ="
        r" \begin{bmatrix}\frac73&\frac83&\frac93\\\frac73&\frac83&\frac93\\"
        r"\frac73&\frac83&\frac93\end{bmatrix}",
        corrected=r"w_{ts} = \frac{e^{Q_t K_s}}{\sum_{s'} e^{Q_t K_{s'}}},\quad"
        r" \text{Output}_t = \sum_s w_{ts} V_s",
        verdict="arithmetic",
        explanation="The scores are right. Equal weights would need equal scores: the softmax of"
        " 4, 5, 6 leans towards the last key, and that of 12, 15, 18 nearly picks it. The output"
        " sums over keys, so it is one column of three numbers, not a matrix of thirds: with the"
        " weights that the example prints, its own formula gives 8, 8, 8.",
        paper=_VASWANI,
        link=_VASWANI_LINK,
        function=attention.worked_example,
        printed_function=attention.printed_worked_example,
        example=Example(_COLUMNS, ("query",)),
        rows=lambda sizes: _attention_rows({**sizes, "B": 1}),  # one set of queries
        sizes={"T": 4096, "S": 4096, "H": 64, "U": 64},
    ),
)


def causal_attention_costs(sizes: Sizes) -> Table:
    """`attention.scaled-dot-product` where a query sees no later key: T = S, T·(T + 1)/2 pairs.

    What the mathematics needs. A form that computes the square and masks it does twice as much.
    """
    whole = ENTRIES[0]
    causal = replace(whole, rows=lambda sizes: _attention_rows(sizes, pairs="(T·(T + 1)//2)"))
    return causal.costs(sizes)
