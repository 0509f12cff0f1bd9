"""One model under every convention; published peaks; rooflines."""

from dataclasses import replace

import pytest

from jaxgen.costs.conventions import CONVENTIONS, compare, find_convention
from jaxgen.costs.hardware import ACCELERATORS, find_accelerator
from jaxgen.costs.roofline import (
    CeilingError,
    fraction_of_ceiling,
    model_flops_utilisation,
    roofline,
)
from jaxgen.costs.table import Row, Table
from jaxgen.costs.walk.count import count
from jaxgen.errors import UserError
from jaxgen.families.language.costs import language_step
from jaxgen.families.language.family import Language
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.training.config import OptimizerConfig

BLOCKS = 12 * 12 * 768**2  # kernels of GPT-2 124M's twelve blocks
ATTENTION = 12 * 768 * 1024  # L·N·H·T


@pytest.fixture(scope="module")
def gpt2():
    config = GPTConfig(12, 12, 768, 3072, 1024)
    return language_step(config, OptimizerConfig(), batch_size=8, seq_len=1024, vocab_size=50257)


GPT2_124M = {
    "jaxgen": 6 * (BLOCKS + 768 * 50257) + 12 * ATTENTION,
    "jaxgen, causal half": 6 * (BLOCKS + 768 * 50257) + 6 * ATTENTION,
    "6N": 6 * 124_439_808,
    "6N without embeddings": 6 * 84_934_656,
    "Kaplan": 6 * 84_934_656 + 6 * ATTENTION,
    "PaLM": 6 * 124_439_808 + 12 * ATTENTION,
    "nanoGPT": 6 * 123_653_376 + 12 * ATTENTION,
    "Chinchilla": 3 * (4 * 50257 * 768 + 2 * BLOCKS + 4 * ATTENTION + 3 * 12 * 12 * 1024),
    "MaxText": 6 * (BLOCKS + 768 * 50257) + 6 * ATTENTION,
    "Megatron, recomputed": 8 * BLOCKS + 6 * 768 * 50257 + 16 * ATTENTION,
}


def test_gpt2_124m_under_every_convention(gpt2):
    found = {c.name: c.flops_per_token(gpt2) for c in CONVENTIONS}
    assert found == GPT2_124M
    assert found["jaxgen"] * 8 * 1024 == gpt2.matmul_flops
    assert max(found.values()) > 2 * min(found.values()), "which is why an MFU needs its convention"


@pytest.mark.parametrize("max_seq_len", [11, 4096])
def test_nanogpt_subtracts_a_position_table_only_where_there_is_one(max_seq_len):
    """A table of 4,096 positions has more numbers than all else in so small a model."""
    learned = GPTConfig(2, 3, 18, 29, max_seq_len)
    sizes = {"batch_size": 5, "seq_len": 7, "vocab_size": 23}
    attention = 12 * 2 * 18 * 7
    kernels = 2 * (4 * 18 * 18 + 2 * 18 * 29)
    biases, norms = 2 * (4 * 18 + 29 + 18), 2 * 18 * (2 * 2 + 1)
    cases = {
        learned: kernels + biases + norms + 23 * 18,
        replace(learned, positions="rotary"): kernels + biases + norms + 23 * 18,
        # neither biases nor norms have parameters, and the head is a second matrix
        modern_gpt(
            num_layers=2, num_heads=3, model_size=18, hidden_size=29, max_seq_len=max_seq_len
        ): kernels + 2 * 23 * 18,
    }
    for config, counted in cases.items():
        table = language_step(config, OptimizerConfig(), **sizes)
        assert find_convention("nanoGPT").flops_per_token(table) == 6 * counted + attention
        palm = find_convention("PaLM").flops_per_token(table)
        learned_positions = max_seq_len * 18 * (config.positions == "learned")
        assert palm == 6 * (counted + learned_positions) + attention


RECOMPUTED = {"query", "key", "value", "scores", "mix", "attention out", "mlp in"}


@pytest.mark.parametrize("remat", [False, True])
def test_jaxgen_s_convention_is_the_walk_less_what_is_recomputed(remat, step_of, text_spec):
    """Every product of a block is done again, but for the last, whose result nothing reads."""
    model = GPTConfig(2, 3, 18, 29, 11, remat=remat)
    step = step_of(Language(batch_size=5, seq_len=7, model=model), text_spec(23))
    walked = count(step.task.step, step.state, step.batch).matmul_flops
    tokens = 5 * 7
    by_hand = 2 * tokens * 2 * (4 * 18 * 18 + 18 * 29 + 2 * 18 * 7)  # two layers, FLOPs
    again = [row for row in step.table.rows if row.name in RECOMPUTED]
    assert len(again) == len(RECOMPUTED)
    assert sum(row.flops("forward") for row in again) == by_hand
    convention = find_convention("jaxgen").flops_per_token(step.table)
    assert walked - convention * tokens == (by_hand if remat else 0)


def test_chinchilla_s_table_as_the_paper_adds_it_up(gpt2):
    """Appendix F, forward for a sequence, term by term; backward is twice the forward."""
    T, V, D, N, H, F, L = 1024, 50257, 768, 12, 64, 3072, 12
    embeddings = 2 * T * V * D
    attention = 2 * 3 * T * D * H * N + 2 * T * T * H * N + 3 * N * T * T + 2 * T * T * H * N
    attention += 2 * T * H * N * D
    dense = 2 * T * (D * F + D * F)
    logits = 2 * T * D * V
    forward = embeddings + L * (attention + dense) + logits
    assert find_convention("Chinchilla").flops_per_token(gpt2) * T == 3 * forward


def test_narayanan_s_formula_as_the_paper_prints_it(gpt2):
    """Eq. (3): 96·B·s·l·h²·(1 + s/(6h) + V/(16·l·h)), for F = 4·D."""
    s, layers, h, V = 1024, 12, 768, 50257
    printed = 96 * layers * h**2 * (1 + s / (6 * h) + V / (16 * layers * h))
    assert find_convention("Megatron, recomputed").flops_per_token(gpt2) == pytest.approx(printed)


def test_palm_s_formula_on_the_paper_s_own_model():
    """PaLM 540B: 118 layers, 48 heads of 256, 540.35 billion parameters, 2,048 tokens.

    Appendix B prints 46.2 % MFU for 238,300 tokens a second on 6,144 TPU v4 chips of 275 TFLOP/s.
    """
    sizes = {"L": 118, "N": 48, "H": 256, "T": 2048, "A": 540_350_000_000}
    table = Table("PaLM", (Row("all parameters", "matmul", sizes, parameters="A"),))
    flops = find_convention("PaLM").flops_per_token(table)
    assert flops == 6 * 540_350_000_000 + 12 * 118 * 48 * 256 * 2048
    peak = 6144 * find_accelerator("TPU v4").bfloat16_flops_per_second
    assert flops * 238_300 / peak == pytest.approx(0.462, abs=0.0005)


def test_conventions_are_named_sourced_and_printed_together(gpt2):
    text = compare(gpt2)
    for convention in CONVENTIONS:
        assert convention.source and convention.says and convention.name in text
    assert "| PaLM | 859.89 |" in text and "| Chinchilla | 1,087.35 |" in text
    with pytest.raises(UserError, match="did you mean nanoGPT"):
        find_convention("nanogpt")


def test_an_mfu_names_its_convention_and_cannot_pass_100_percent(gpt2):
    palm, peak = find_convention("PaLM"), find_accelerator("NVIDIA A100-SXM4-80GB")
    ceiling = peak.bfloat16_flops_per_second / palm.flops_per_token(gpt2)
    mfu = model_flops_utilisation(
        gpt2, palm, ceiling / 2, peak.bfloat16_flops_per_second, "A100 SXM, bfloat16 dense"
    )
    assert str(mfu) == "50.0% MFU (PaLM FLOPs; peak: A100 SXM, bfloat16 dense)"
    with pytest.raises(CeilingError, match=r"MFU by PaLM FLOPs.*104%"):
        model_flops_utilisation(
            gpt2, palm, 1.04 * ceiling, peak.bfloat16_flops_per_second, "A100 SXM"
        )


def test_roofline_by_hand():
    bound = roofline(flops=600, moved_bytes=50, flops_per_second=100, bytes_per_second=10)
    assert (bound.compute_seconds, bound.memory_seconds) == (6, 5)
    assert (bound.seconds, bound.sum_seconds, bound.binds) == (6, 11, "compute")
    assert roofline(600, 70, 100, 10).binds == "memory" and roofline(600, 70, 100, 10).seconds == 7
    assert fraction_of_ceiling(6, 8, "step") == 0.75 and fraction_of_ceiling(6, 6, "step") == 1
    with pytest.raises(CeilingError, match=r"^step: 5 s is 120% of a ceiling"):
        fraction_of_ceiling(6, 5, "step")


def test_every_peak_has_its_source_and_its_place():
    kinds = [kind for a in ACCELERATORS for kind in a.device_kinds]
    assert len(kinds) == len(set(kinds))
    for a in ACCELERATORS:
        vendor = "NVIDIA" if a.device_kinds[0].startswith("NVIDIA") else "Google Cloud"
        assert a.source.startswith(vendor)
        assert all(find_accelerator(kind) is a for kind in a.device_kinds)
        # Units: tera-FLOPs, and at least 16 GB read in less than a tenth of a second.
        assert 1e14 < a.bfloat16_flops_per_second < 1e16
        assert a.memory_bytes >= 16e9 and a.memory_bytes / a.memory_bytes_per_second < 0.1
        assert 1e11 < a.interconnect_bytes_per_second < a.memory_bytes_per_second
        if a.tensorfloat32_flops_per_second is not None:
            assert a.float32_flops_per_second < a.tensorfloat32_flops_per_second
            ratio = a.bfloat16_flops_per_second / a.tensorfloat32_flops_per_second
            assert ratio == pytest.approx(2, rel=0.03)


def test_generations_come_in_order_and_unknown_devices_are_none():
    by_name = {a.name: a for a in ACCELERATORS}
    for slow, fast in (
        ("A100 PCIe 80 GB", "A100 SXM 80 GB"), ("A100 SXM 80 GB", "H100 PCIe"),
        ("H100 PCIe", "H100 SXM"), ("H100 SXM", "H200"), ("H200", "B200"),
    ):  # fmt: skip
        assert by_name[slow].bfloat16_flops_per_second <= by_name[fast].bfloat16_flops_per_second
    bandwidths = [
        by_name[n].memory_bytes_per_second for n in ("TPU v5e", "TPU v4", "TPU v6e", "TPU v5p")
    ]
    assert bandwidths == sorted(bandwidths)
    for kind in ("cpu", "NVIDIA GeForce RTX 4090", "NVIDIA A100", "TPU v2", ""):
        assert find_accelerator(kind) is None


@pytest.mark.parametrize(
    ("name", "cores", "core_flops", "clock", "bus_bits", "gigabits"),
    [
        # Multiprocessors, bfloat16 FLOPs each in a cycle, boost clock; memory bus, rate of a pin.
        # NVIDIA A100 and H100 architecture white papers, tables 1 to 4.
        ("A100 SXM 40 GB", 108, 2048, 1.410e9, 5120, 2.43),
        ("A100 SXM 80 GB", 108, 2048, 1.410e9, 5120, 3.186),
        ("H100 SXM", 132, 4096, 1.830e9, 5120, 5.23),
        ("H100 PCIe", 114, 4096, 1.620e9, 5120, 3.19),
    ],
)
def test_a_gpu_s_peaks_follow_from_its_parts(name, cores, core_flops, clock, bus_bits, gigabits):
    found = next(a for a in ACCELERATORS if a.name == name)
    assert found.bfloat16_flops_per_second == pytest.approx(cores * core_flops * clock, rel=0.02)
    moved = bus_bits / 8 * gigabits * 1e9
    assert found.memory_bytes_per_second == pytest.approx(moved, rel=0.03)


@pytest.mark.parametrize(
    ("name", "links", "each_way"),
    # Links of a chip, bytes a second over one in one direction: NVLink 3 to 5 (25, 25, 50 GB/s);
    # Jouppi et al. 2023 for TPU v4; ports per chip in Google Cloud's pages on v5e and v6e.
    [
        ("A100 SXM 80 GB", 12, 25e9), ("H100 SXM", 18, 25e9), ("B200", 18, 50e9),
        ("TPU v4", 6, 50e9), ("TPU v5e", 4, 50e9), ("TPU v5p", 6, 100e9), ("TPU v6e", 4, 100e9),
    ],
)  # fmt: skip
def test_an_interconnect_is_its_links_both_ways(name, links, each_way):
    found = next(a for a in ACCELERATORS if a.name == name)
    assert found.interconnect_bytes_per_second == 2 * links * each_way
