"""Every equation's cost table against a walk over the real program, exactly, and by hand."""

import math

import jax
import pytest

from benchmarks.ledger.equations import program, with_gradients
from jaxgen.catalog import EQUATIONS
from jaxgen.catalog.attention import causal_attention_costs
from jaxgen.costs.table import CONTRACTIONS
from jaxgen.costs.walk.count import count

# Sizes of which no two are equal, so that a swapped letter must show; G is 3 H, three gates, G2
# 2 H, content and gate; P is 3 numbers of each logistic.
LETTERS = {
    "B": 6, "T": 4, "S": 9, "H": 8, "U": 5, "X": 7, "V": 11, "D": 17, "Z": 3, "G1": 13, "G": 24,
    "G2": 16, "K": 2, "F": 10, "P": 12, "C": 14, "I": 19, "O": 21,
}  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=lambda e: e.id)
def test_every_equation_of_the_catalogue_has_its_costs(equation):
    table = equation.costs(LETTERS)
    function, arrays = program(equation, LETTERS)
    forward = count(lambda arrays: function(**arrays), arrays)
    assert forward.dot_flops == table.flops("forward", CONTRACTIONS)
    if not table.flops(kinds=("elementwise",)):
        assert forward.elementwise_flops == 0
        return
    # The code computes the same in stabler forms and never in less than the mathematics' operations.
    assert 0.6 <= forward.elementwise_flops / table.flops("forward", ("elementwise",)) <= 3.5


@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=lambda e: e.id)
def test_every_equation_s_gradient_is_its_table_s(equation):
    table = equation.costs(LETTERS)
    function, arrays = program(equation, LETTERS)
    results = jax.eval_shape(lambda arrays: function(**arrays), arrays)
    both = with_gradients(function)
    assert count(both, arrays, results).dot_flops == table.flops(kinds=CONTRACTIONS)
    # In the one program each argument and result, and each one's gradient, crosses the memory once.
    moved = jax.tree.leaves((arrays, results, results, jax.eval_shape(both, arrays, results)[1]))
    assert table.least_bytes() == sum(4 * array.size for array in moved)


def test_the_table_s_arrays_by_hand():
    """Elements of arguments with a gradient, of those without, and of results; at four bytes each."""
    B, T, S, H, U, X, V, D, Z, G1, G, G2, K, F, P, _C, *matrix = LETTERS.values()
    query_key_value = B * T * H + B * S * H + B * S * U
    expected = {
        "attention.scaled-dot-product": (query_key_value, 0, B * T * U),
        "attention.weights": (B * T * S, 0, B * T * S),
        "attention.worked-example": (T * H + S * H + S * U, 0, 2 * T * S + T * U),
        "gan.generator": (B * Z + Z * G1 + G1 + G1 * X + X, 0, B * X),
        "gan.wasserstein-value": (2 * B + 1, 0, B),  # 1: the Lipschitz constant
        "gan.label-smoothing": (2 * B, 0, B),
        "gan.spectral-norm": (math.prod(matrix) + sum(matrix), 0, math.prod(matrix)),
        "vae.encoder": (3 * B * X, 0, B),
        "lm.cross-entropy": (B * T * V, B * T, B),
        "lm.sampling": (B * V, 0, B * V),
        "lm.gru": (B * D + B * H + D * G + H * G + G + H, 0, B * H),  # G = 3 H
        "sound.causal-convolution": (B * T * D + K * D * F, 0, B * T * F),
        "sound.gated-unit": (B * G2, 0, B * H),
        "sound.logistic-mixture": (B * P + B, 0, B),
        "transformer.rms-norm": (B * D + D, 0, B * D),
        "transformer.rotary": (B * T * H, T, B * T * H),
    }
    for equation_id, (real, whole, results) in expected.items():
        table = EQUATIONS[equation_id].costs(LETTERS)
        assert table.least_bytes("forward") == 4 * (real + whole + results)
        assert table.least_bytes("backward") == 4 * (real + results)


def test_causal_attention_is_a_triangle_of_pairs():
    """Counted by hand in a loop over queries: the first sees one key, the last all of them."""
    sizes = {**LETTERS, "S": LETTERS["T"]}
    table = causal_attention_costs(sizes)
    pairs = sum(t + 1 for t in range(sizes["T"]))
    one_pair = 3 * 2 * (sizes["H"] + sizes["U"])  # forward, and by each operand
    assert table.matmul_flops == sizes["B"] * pairs * one_pair
    assert table.elementwise_flops == sizes["B"] * pairs * (1 + 5 + 1 + 4)
    whole = EQUATIONS["attention.scaled-dot-product"].costs(sizes)
    assert table.least_bytes() == whole.least_bytes()
    assert table.name == whole.name == "attention.scaled-dot-product"


def test_a_table_says_which_letter_has_no_size():
    with pytest.raises(KeyError, match="U"):
        EQUATIONS["attention.output"].costs({"B": 1, "T": 2, "S": 3}).least_bytes()


@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=lambda e: e.id)
def test_an_equation_is_measured_at_sizes_of_all_its_letters(equation):
    assert equation.costs(equation.sizes).flops() > 0
    letters = {letter for shape in equation.arrays.values() for letter in shape.letters}
    assert letters <= set(equation.sizes)
    # No argument of the largest kind fits the caches of the machines that this is run on.
    largest = max(math.prod(s.sized(equation.sizes).shape) for s in equation.arrays.values())
    assert largest >= 2**18
