"""Tables: formulas, sums, bytes by hand, text; the room needs no jax."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxgen.costs
from jaxgen.costs import render
from jaxgen.costs.formula import evaluate, plus, times
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import CONTRACTIONS, PHASES, Table
from jaxgen.families.gan.costs import gan_step
from jaxgen.families.language.costs import language_step
from jaxgen.families.vae.costs import vae_step
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

SIZES = {"B": 2, "D": 3, "F": 5, "L": 7}


@given(*(st.integers(0, 50) for _ in range(4)))
def test_a_formula_means_what_it_says(a, b, c, d):
    sizes = {"A": a, "B0": b, "C": c, "D": d + 1}
    assert evaluate("2·A·(B0 + C) − A", sizes) == 2 * a * (b + c) - a
    assert evaluate("min(A + C, B0)·D", sizes) == min(a + c, b) * (d + 1)
    assert evaluate("A·C//D", sizes) == a * c // (d + 1)
    assert evaluate(times(3, "A", plus("B0", "0", "C"), 2), sizes) == 6 * a * (b + c)


def test_formulas_read_as_written():
    assert times(2, "", "B·T", 1) == "2·B·T" and times(1, "B") == "B" and times(2, "0") == "0"
    assert times(2, "B + T") == "2·(B + T)" and plus("0", "") == "0" and plus("B", "T") == "B + T"


def test_no_formula_but_this_grammar():
    for text in ("__import__('os')", "B**2", "B/2", "B +", "2.5·B", "max(B, D)", "B if B else B"):
        with pytest.raises(ValueError, match="is not a formula"):
            evaluate(text, SIZES)
    with pytest.raises(KeyError):
        evaluate("2·Q", SIZES)


def test_a_matmul_s_row_by_hand():
    """B·D @ D·F in 7 layers, float32."""
    row = matmul("in", SIZES, "B·D·F", "D", result="B·F", repeats="L", kernel="D·F")
    assert row.forward.flops == "2·L·B·D·F" and row.contracted == ("D",)
    assert row.flops("forward") == 2 * 7 * 2 * 3 * 5
    assert row.flops("backward") == 2 * row.flops("forward")
    kernel, result = 4 * 7 * 3 * 5, 4 * 7 * 2 * 5
    assert row.least_bytes("forward") == kernel + result  # read, written
    assert row.least_bytes("backward") == kernel + kernel + result  # read, gradient written, read
    assert row.value(row.parameters) == 7 * 15 and row.value(row.activation_bytes) == result
    narrow = matmul("in", SIZES, "B·D·F", "D", result="B·F", kernel="D·F", item_bytes=2)
    assert narrow.value(narrow.activation_bytes) == 2 * 2 * 5


def test_a_first_layer_reads_data_and_has_one_gradient():
    row = matmul(
        "first", SIZES, "B·D·F", "D",
        result="B·F", kernel="D·F", gradients=("kernel",), data="B·D",
    )  # fmt: skip
    assert row.flops("backward") == row.flops("forward") == 60
    assert row.least_bytes("forward") == 4 * (15 + 6 + 10)
    assert row.least_bytes("backward") == 4 * (
        15 + 6 + 10
    )  # gradient written, data and result read


def small_gpt():
    config = GPTConfig(2, 3, 18, 29, 11)
    return language_step(config, OptimizerConfig(), batch_size=5, seq_len=7, vocab_size=23)


def test_a_table_is_the_sum_of_its_rows():
    table = small_gpt()
    assert table.flops() == sum(row.flops(phase) for row in table.rows for phase in PHASES)
    assert table.flops() == table.matmul_flops + table.elementwise_flops
    assert table.matmul_flops == table.flops(kinds=CONTRACTIONS)
    assert table.least_bytes() == sum(table.least_bytes(phase) for phase in PHASES)
    assert table.least_bytes("update") == 28 * table.parameters
    names = [row.name for row in table.rows]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("tied", [True, False])
def test_a_gpt_s_least_bytes_by_hand(tied):
    """Forward reads every parameter and writes what is kept; backward reads both, writes gradients."""
    B, T, D, F, V, L, M = 5, 7, 18, 29, 23, 2, 11
    config = GPTConfig(L, 3, D, F, M, tied_head=tied)
    table = language_step(config, OptimizerConfig(), batch_size=B, seq_len=T, vocab_size=V)
    P = table.parameters
    kept = L * B * T * (3 * D + D + D + F + D) + B * T * D
    # The look-up of 35 tokens reads all 23 rows; a tied head reads them again. 7 of 11 positions.
    assert table.least_bytes("forward") == 4 * (P + tied * V * D - (M - T) * D + kept)
    matrices = L * (4 * D * D + 2 * D * F) + V * D  # read to pass the gradient on
    assert table.least_bytes("backward") == 4 * (matrices + P + kept)
    assert table.least_bytes("update") == 28 * P


def test_a_gpt_s_activations_by_hand():
    """float32, biases, LayerNorm: what the backward pass of each layer reads."""
    B, T, N, D, F, V, L = 5, 7, 3, 18, 29, 23, 2
    layer = B * T * (D + 3 * D + D + D + D + F + F + D) + B * N * T * T
    assert small_gpt().activation_bytes == 4 * (L * layer + B * T * (D + D + V))


@pytest.mark.parametrize("tied", [True, False])
def test_a_recomputed_gpt_by_hand(tied):
    """Kept are the embedding's and the blocks' outputs; a block is redone but for its last product."""
    B, T, N, D, F, V, L, M = 5, 7, 3, 18, 29, 23, 2, 11
    sizes = {"batch_size": B, "seq_len": T, "vocab_size": V}
    config = GPTConfig(L, N, D, F, M, tied_head=tied, dropout=0.1)
    kept, redone = (
        language_step(replace(config, remat=remat), OptimizerConfig(), **sizes)
        for remat in (False, True)
    )
    assert redone.parameters == kept.parameters
    assert redone.flops("forward") == kept.flops("forward")
    assert redone.flops("update") == kept.flops("update")
    products = L * B * T * (4 * D * D + D * F + 2 * T * D)
    assert redone.matmul_flops - kept.matmul_flops == 2 * products
    # two LayerNorms; four biases of D; scale, mask, softmax and the weights' dropout; dropout and sum of
    # one part; bias, gelu
    each = B * T * (2 * 7 * D + 4 * D + (2 + 1) * D + (1 + 7) * F) + B * N * T * T * (2 + 5 + 2)
    assert redone.elementwise_flops - kept.elementwise_flops == L * each

    stream, P = (L + 1) * B * T * D, kept.parameters
    # One dropout mask, of the embedding, a byte each; the last norm's input and the logits.
    assert redone.activation_bytes == 4 * (stream + B * T * (D + V)) + B * T * D
    assert redone.least_bytes("forward") == 4 * (P + tied * V * D - (M - T) * D + stream)
    matrices = L * (4 * D * D + 2 * D * F) + V * D  # read to pass the gradient on
    assert redone.least_bytes("backward") == 4 * (matrices + P + stream)


def test_a_letter_has_one_size():
    rows = (elementwise("a", {"B": 2}, "B", 1, 1), elementwise("b", {"B": 3}, "B", 1, 1))
    with pytest.raises(ValueError, match="B is 2 and 3"):
        _ = Table("clash", rows).sizes


def test_a_vae_s_table_by_hand():
    table = vae_step(
        MLPVAEConfig((17,), 3), OptimizerConfig(), batch_size=6, shape=(8, 8, 1), binarise="grey"
    )
    first, others = 64 * 17, 17 * 6 + 3 * 17 + 17 * 64
    assert table.matmul_flops == 2 * 6 * (2 * first + 3 * others)
    assert table.parameters == first + others + 17 + 6 + 17 + 64


def test_a_gan_s_table_by_hand():
    """Two updates: D on real and generated images with one reading of its parameters, then G."""
    B, X, Z, H, K = 6, 64, 3, 17, 11
    table = gan_step(
        MLPGANConfig(Z, (H,), (K,)),
        {"discriminator": OptimizerConfig(), "generator": OptimizerConfig()},
        batch_size=B,
        shape=(X,),
    )
    generator, discriminator = Z * H + H * X, X * K + K
    # D: generator forward 1; its own first layer 2 (no gradient of images), its second 3, twice.
    # G: through D forward and to D's input 2; its own first layer 2, its second 3.
    update_d = generator + 2 * (2 * X * K + 3 * K)
    update_g = 2 * discriminator + 2 * Z * H + 3 * H * X
    assert table.matmul_flops == 2 * B * (update_d + update_g)
    P_G, P_D = generator + H + X, discriminator + K + 1
    assert table.parameters == P_G + P_D
    forward = (P_G + P_D + B * X + 2 * B * K) + (P_G + P_D + B * H + B * K)
    backward = (K + P_D + B * X + 2 * B * K) + (H * X + P_G + discriminator + B * H + B * K)
    assert table.least_bytes("forward") == 4 * forward
    assert table.least_bytes("backward") == 4 * backward
    assert table.least_bytes("update") == 28 * (P_G + P_D)


def test_text_and_markdown_show_every_row_and_the_sums():
    table = small_gpt()
    lines = render.markdown(table).splitlines()
    assert lines[0].startswith("| operation | kind | contracts | formula |")
    (scores,) = (line for line in lines if line.startswith("| scores "))
    flops = 2 * 2 * 5 * 3 * 7 * 7 * 6
    share = f"{3 * flops / table.flops():.1%}"
    cells = f"| matmul | H | 2·L·B·N·T·S·H | {flops:,} | {2 * flops:,} | 0 | {share} | 0 |"
    assert cells in scores
    for sort, cost in (
        ("flops", lambda row: row.flops()),
        ("bytes", lambda row: row.least_bytes()),
    ):
        *rows, _ = render.cells(table, sort)
        assert rows[0][0] == max(table.rows, key=cost).name
        assert sorted(row[0] for row in rows) == sorted(row.name for row in table.rows)
    assert len(lines) == 2 + len(table.rows) + 1 + 3
    aligned = render.text(table)
    assert all(row.name in aligned for row in table.rows)
    assert f"{table.parameters:,} parameters" in aligned and "V = 23" in aligned
    assert f"{table.matmul_flops:,} matmul and convolution FLOPs" in aligned


def test_the_room_needs_no_jax():
    folder = Path(jaxgen.costs.__path__[0])
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "count"}
    program = (
        "import sys, importlib\n"
        f"for name in {sorted(modules)}: importlib.import_module('jaxgen.costs.' + name)\n"
        "assert not {'jax', 'flax', 'numpy'} & set(sys.modules), 'jax came along'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
